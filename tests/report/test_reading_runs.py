"""What is whole is read; what is not is named, with the reason, and takes nothing else with it."""

import json
import os
import subprocess
import sys
import time
import tracemalloc

import pytest
import yaml
from made_runs import config_of, figure, make_run

from lta.report.runs import read_runs


def reasons(*places):
    return {one.path.name: one.reason for one in read_runs(places)[1]}


def test_runs_are_found_below_a_place_and_each_once(tmp_path):
    made = [make_run(tmp_path / "sweep" / f"seed-{seed}", "data=cifar10", seed=seed) for seed in (0, 1)]
    make_run(made[0] / "nested", "data=cifar10")  # belongs to the run that it lies in
    runs, _ = read_runs([tmp_path, made[1], tmp_path / "sweep"])
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
    runs, _ = read_runs([tmp_path])
    assert [run.path.name for run in runs] == ["whole"]
    said = reasons(tmp_path)
    so_far = "2 of 30 epochs recorded, the last with val/error 40"
    assert said.pop("unfinished") == f"not finished: it has no results.json ({so_far})"
    assert "results.json is broken: Unterminated string" in said.pop("torn")
    assert "config.yaml is broken" in said.pop("torn_config")
    assert "config.yaml is broken" in said.pop("binary")
    assert said.pop("listed") == "results.json holds no settings, but list"
    assert (
        said.pop("older")
        == "results.json has no test error (test.error is None): another version wrote it, or the run was not tested"
    )
    assert "not tested" in said.pop("untested")
    assert said.pop("bare") == "it has no config.yaml"
    assert said.pop("oldest") == "config.yaml has no model: another version wrote it"
    assert not said


def test_a_run_with_parts_missing_is_shown_and_they_are_named(tmp_path):
    run = make_run(tmp_path / "run", "data=cifar10", history=None, answers={"query": {"x": figure(1)}, "roles": {}})
    (run / "run.json").write_text("{}")
    (run / "evaluations" / "query.json").write_text("{}")
    (run / "evaluations" / "roles.json").write_text("no")
    runs, left_out = read_runs([tmp_path])
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
        read_runs([tmp_path / "nowhere"])


def test_a_results_file_alone_is_no_run(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"test": {"error": 5}, "config": config_of("data=cifar10")}))
    assert reasons(tmp_path)[tmp_path.name].startswith("no run: neither it nor a folder below it")


@pytest.mark.parametrize("seed", [None, 0, 7, 2**40])
def test_seeds_that_a_run_may_have(tmp_path, seed):
    run = make_run(tmp_path / "run", "data=cifar10", seed=1)
    rewrite(run / "config.yaml", "seed: 1", f"seed: {'null' if seed is None else seed}")
    assert [run.seed for run in read_runs([tmp_path])[0]] == [seed]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("''", "''"),
        ("a", "'a'"),
        ("'3'", "'3'"),
        ("true", "True"),
        ("3.0", "3.0"),
        ("-1", "-1"),
        (".nan", "nan"),
        ("[1]", "[1]"),
        ("{a: 1}", "{'a': 1}"),
        ("2026-11-20", "datetime.date(2026, 11, 20)"),
    ],
)
def test_other_seeds_are_left_out_with_their_value(tmp_path, written, shown):
    rewrite(make_run(tmp_path / "run", "data=cifar10", seed=1) / "config.yaml", "seed: 1", f"seed: {written}")
    assert reasons(tmp_path)["run"] == f"config.yaml has the seed {shown}: lta's are whole numbers, at least 0, or null"


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: &m {x: *m}\n", "it has an alias (*m), which lta never writes"),
        (LAUGHS, "it has an alias (*a0), which lta never writes"),
        ("model: {<<: &m {x: 1}, data: *m}\n", "it has an alias (*m)"),
        ("model: " + "[" * 100_000, "nested deeper than 40 levels"),
        ("model:\n" + "".join(" " * n + "- \n" for n in range(1, 60)), "nested deeper than 40 levels"),
        ("model: !!python/object:os.system x\n", "it has a tag (tag:yaml.org,2002:python/object:os.system)"),
        ("a: 1\n--- \nb: 2\n", "it holds several documents"),
        ("? [a]\n: 1\n", "it has a list or a mapping for a key"),
        ("seed: 0x" + "f" * 4000 + "\n", "a number of 16000 bits"),
        ("seed: 2026-99-99\n", "month must be in 1..12"),
    ],
    ids=["loop", "laughs", "merge", "deep", "deep block", "tag", "two", "key", "long", "no date"],
)
def test_a_configuration_that_no_lta_wrote_is_left_out_at_once(tmp_path, text, says):
    (make_run(tmp_path / "run", "data=cifar10") / "config.yaml").write_text(text)
    tracemalloc.start()
    begin = time.process_time()
    said = reasons(tmp_path)["run"]
    seconds, (_, most) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said.startswith(f"config.yaml is broken: {says}")
    assert seconds < 0.5
    assert most < 5_000_000


def test_configurations_are_read_as_yaml_reads_them(tmp_path):
    run = make_run(tmp_path / "run", "data=cifar10")
    odd = {
        "text": [
            "yes",
            "3",
            "",
            "null",
            "~",
            "1e3",
            "a: b",
            "a\nb\n",
            "# no",
            "\u00e9\u2028\t",
            " x ",
            "=",
            "<<",
            "0x1f",
            "1:30",
        ],
        "numbers": [0, -1, 1.5, 1e-8, 1e20, float("inf")],
        "none": None,
        "flags": [True, False],
        "nothing": [{}, [], [[]]],
        3: "a number for a key",
    }
    with (run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(yaml.safe_dump({"odd": odd}, allow_unicode=True))
    (found,), _ = read_runs([tmp_path])
    assert found.config["odd"] == odd
    assert found.config == yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("change", [lambda raw: b"\xef\xbb\xbf" + raw, lambda raw: raw.replace(b"\n", b"\r\n")])
def test_byte_order_marks_and_other_line_ends_do_not_hurt(tmp_path, change):
    make_run(tmp_path / "plain" / "run", "data=cifar10", answers={"roles": {"x": figure(1)}})
    run = make_run(tmp_path / "run", "data=cifar10", answers={"roles": {"x": figure(1)}})
    (run / "metrics.csv").write_bytes(b"epoch,val/error\n0,50\n1,40\n")
    for path in (path for path in run.rglob("*") if path.is_file()):
        path.write_bytes(change(path.read_bytes()))
    (one, other), left_out = read_runs([tmp_path / "plain", run])
    assert one._replace(path=None) == other._replace(path=None)
    assert not left_out
    (run / "results.json").unlink()
    so_far = "2 of 30 epochs recorded, the last with val/error 40"
    assert reasons(run)["run"] == f"not finished: it has no results.json ({so_far})"


def test_files_are_utf8_whatever_the_machine_speaks(tmp_path):
    run = make_run(tmp_path / "run", "data=cifar10")
    with (run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("note: Z\u00fcrich\n")
    code = f"from pathlib import Path; from lta.report.runs import read_runs; r, = read_runs([Path({str(tmp_path)!r})])[0];"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", f"{code} print(ascii(r.config['note']))"], env=environment, capture_output=True, text=True
    )
    assert (ended.stdout.strip(), ended.stderr) == (r"'Z\xfcrich'", "")
