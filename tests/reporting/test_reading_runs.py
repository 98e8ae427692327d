"""What is whole is read; what is not is named, with the reason, and takes nothing else with it."""

import json

import pytest
from made_runs import config_of, figure, make_run

from lta.reporting.runs import read


def reasons(*places):
    return {one.path.name: one.reason for one in read(places)[1]}


def test_runs_are_found_below_a_place_and_each_once(tmp_path):
    made = [make_run(tmp_path / "sweep" / f"seed-{seed}", "data=cifar10", seed=seed) for seed in (0, 1)]
    make_run(made[0] / "nested", "data=cifar10")  # belongs to the run that it lies in
    runs, _ = read([tmp_path, made[1], tmp_path / "sweep"])
    assert [run.path for run in runs] == made
    assert [run.seed for run in runs] == [0, 1]
    assert [run.error for run in runs] == [5.0, 5.0]


def test_what_is_not_whole_is_left_out_with_its_reason(tmp_path):
    make_run(tmp_path / "whole", "data=cifar10", answers={"classification": {"error": figure(5)}})
    unfinished = make_run(tmp_path / "unfinished", "data=cifar10")
    (unfinished / "results.json").unlink()
    (unfinished / "metrics.csv").write_text("epoch,val/error\n0,50\n1,40\n")
    (make_run(tmp_path / "torn", "data=cifar10") / "results.json").write_text('{"test": {"err')
    (make_run(tmp_path / "torn_config", "data=cifar10") / "config.yaml").write_text("model: [\n")
    (make_run(tmp_path / "binary", "data=cifar10") / "config.yaml").write_bytes(b"\xff\xfe\x00")
    (make_run(tmp_path / "listed", "data=cifar10") / "results.json").write_text("[1]")
    make_run(tmp_path / "older", "data=cifar10", test={"accuracy": 90})
    make_run(tmp_path / "untested", "data=cifar10", test=None)
    (make_run(tmp_path / "bare", "data=cifar10") / "config.yaml").unlink()
    (make_run(tmp_path / "oldest", "data=cifar10") / "config.yaml").write_text("lr: 1\n")
    runs, _ = read([tmp_path])
    assert [run.path.name for run in runs] == ["whole"]
    said = reasons(tmp_path)
    assert said.pop("unfinished") == "not finished: it has no results.json (2 epochs recorded)"
    assert "results.json is broken: Unterminated string" in said.pop("torn")
    assert "config.yaml is broken" in said.pop("torn_config")
    assert "config.yaml is broken" in said.pop("binary")
    assert said.pop("listed") == "results.json holds no settings, but list"
    assert said.pop("older") == "results.json has no test error (test.error is None): of another version, or not tested"
    assert "not tested" in said.pop("untested")
    assert said.pop("bare") == "it has no config.yaml"
    assert said.pop("oldest") == "config.yaml has no model: of another version"
    assert not said


def test_a_run_with_parts_missing_is_shown_and_they_are_named(tmp_path):
    run = make_run(tmp_path / "run", "data=cifar10", history=None, answers={"query": {"x": figure(1)}, "roles": {}})
    (run / "run.json").write_text("{}")
    (run / "evaluations" / "query.json").write_text("{}")
    (run / "evaluations" / "roles.json").write_text("no")
    runs, left_out = read([tmp_path])
    assert (runs[0].starts, runs[0].history, runs[0].answers) == ([], [], {})
    assert [one.reason for one in left_out] == [
        "its run.json can't be read: command and commit are unknown",
        "results.json has no history: it is in no curve",
        "evaluations/query.json can't be read",
        "evaluations/roles.json can't be read",
        "without evaluations: only its training is shown",
    ]


def test_no_run_and_no_place(tmp_path):
    assert "no run: neither it nor a folder below it has a config.yaml" in reasons(tmp_path)[tmp_path.name]
    with pytest.raises(ValueError, match="nowhere does not exist; give run directories"):
        read([tmp_path / "nowhere"])


def test_a_results_file_alone_is_a_run_left_out(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"test": {"error": 5}, "config": config_of("data=cifar10")}))
    assert reasons(tmp_path)[tmp_path.name] == "it has no config.yaml"
