"""Which folders are runs: none hides another, none is told twice, and a run's own folders are no runs."""

import os
from pathlib import Path

import pytest
from made_runs import make_run

from lta.report.runs import read_runs


def found(*places, root):
    return [str(run.path.relative_to(root)) for run in read_runs(places)[0]]


def reasons(*places):
    return {one.path.name: one.reason for one in read_runs(places)[1] if "without evaluations" not in one.reason}


@pytest.mark.parametrize("stray", [["results.json"], ["config.yaml"], ["config.yaml", "results.json"]])
@pytest.mark.parametrize("content", ["{}", "[", '{"test": {"error": 5}}'])
def test_a_stray_file_hides_no_run_and_is_no_run(tmp_path, stray, content):
    for name in ("attention", "checkpoints"):  # a sweep may be called so
        make_run(tmp_path / "sweep" / name / "seed-0", "data=cifar10")
    for name in stray:
        (tmp_path / "sweep" / name).write_text(content)
    assert found(tmp_path, root=tmp_path) == ["sweep/attention/seed-0", "sweep/checkpoints/seed-0"]
    assert not reasons(tmp_path)


def test_a_begun_run_is_named_and_hides_no_run(tmp_path):
    (make_run(tmp_path / "outer", "data=cifar10") / "results.json").unlink()
    make_run(tmp_path / "outer" / "again", "data=cifar10")
    assert found(tmp_path, root=tmp_path) == ["outer/again"]
    assert reasons(tmp_path) == {"outer": "not finished: it has no results.json (no epoch is recorded)"}


def test_a_configuration_alone_is_named_where_no_run_is_below(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "results.json").write_text("{}")
    assert reasons(tmp_path) == {
        "conf": "no run, or one that never began: it has a config.yaml, but no run.json and no results.json",
    }


@pytest.mark.parametrize("whole", [True, False])
def test_what_lies_in_a_runs_own_folders_is_no_run(tmp_path, whole):
    run = make_run(tmp_path / "run", "data=cifar10")
    if not whole:
        (run / "results.json").unlink()
    part = run / "wandb" / "run-20261120_100000-abc" / "files"
    part.mkdir(parents=True)
    (part / "config.yaml").write_text("wandb_version: 1\n")
    for name in ("checkpoints", "evaluations", "wandb"):
        make_run(run / name / "copy", "data=cifar10")
    assert found(tmp_path, root=tmp_path) == ["run"] * whole
    assert list(reasons(tmp_path)) == ["run"] * (not whole)


def test_folders_of_wandb_are_no_runs_wherever_they_lie(tmp_path):
    make_run(tmp_path / "wandb" / "seed-0", "data=cifar10")  # a sweep may be called so
    for name in ("run-20261120_100000-abc", "offline-run-20261120_100000-abc"):
        (tmp_path / "wandb" / name / "files").mkdir(parents=True)
        (tmp_path / "wandb" / name / "files" / "config.yaml").write_text("wandb_version: 1\n")
    assert found(tmp_path, root=tmp_path) == ["wandb/seed-0"]
    assert not reasons(tmp_path)


def test_links_are_followed_and_each_run_comes_once_by_its_own_path(tmp_path):
    make_run(tmp_path / "elsewhere" / "run", "data=cifar10")
    make_run(tmp_path / "elsewhere" / "sweep" / "seed-0", "data=cifar10")
    place = tmp_path / "place"
    make_run(place / "own", "data=cifar10")
    (place / "a_link_to_own").symlink_to("own")
    (place / "run").symlink_to("../elsewhere/run")
    (place / "sweep").symlink_to("../elsewhere/sweep")
    (place / "loop").symlink_to(".")
    (place / "up").symlink_to("..")
    (place / "gone").symlink_to("nowhere")
    assert found(place, root=place) == ["own", "run", "sweep/seed-0"]
    assert found(tmp_path, place, root=tmp_path) == ["elsewhere/run", "elsewhere/sweep/seed-0", "place/own"]
    assert found(place / "run", root=place) == ["run"]
    assert not reasons(place, tmp_path / "place" / "up")


def test_a_place_whose_runs_are_known_is_not_said_to_be_empty(tmp_path):
    run = make_run(tmp_path / "sweep" / "seed-0", "data=cifar10")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "loop").symlink_to(".")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "one").symlink_to(run)
    assert not reasons(run, tmp_path / "sweep", tmp_path / "links")
    assert list(reasons(run, tmp_path / "empty", tmp_path / "sweep")) == ["empty"]


def test_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    make_run(tmp_path / "whole", "data=cifar10", panels=1)
    closed = [
        make_run(tmp_path / "closed", "data=cifar10"),
        tmp_path / "whole" / "attention",
        tmp_path / "whole/evaluations",
    ]
    (tmp_path / "endless").symlink_to("endless")
    scan = os.scandir

    def refuse(path):
        if Path(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    runs, left_out = read_runs([tmp_path])
    assert [(run.path.name, run.panels) for run in runs] == [("whole", [])]
    assert sorted((one.path.name, one.reason) for one in left_out) == [
        ("closed", "can't be read: Permission denied"),
        ("endless", "can't be read: Too many levels of symbolic links"),
        ("whole", "attention/ can't be read: Permission denied"),
        ("whole", "evaluations/ can't be read: Permission denied"),
    ]


def test_a_file_for_a_place_and_pipes_for_files(tmp_path):
    (tmp_path / "sweep.csv").write_text("")
    assert "can't be read: Not a directory" in reasons(tmp_path / "sweep.csv")["sweep.csv"]
    run = make_run(tmp_path / "run", "data=cifar10", panels=1, answers={"roles": {}})
    for name in ("config.yaml", "evaluations/roles.json", "attention/epoch_0000.png", "metrics.csv"):
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
    assert reasons(tmp_path) == {"run": "it has no config.yaml"}  # and nothing waits for anybody to write
    (run / "config.yaml").unlink()
    make_run(tmp_path / "other", "data=cifar10")
    (tmp_path / "other" / "config.yaml").rename(run / "config.yaml")
    (whole,), _ = read_runs([run])
    assert (whole.answers, whole.panels) == ({}, [])
    (run / "results.json").unlink()
    assert "no epoch is recorded" in reasons(run)["run"]
