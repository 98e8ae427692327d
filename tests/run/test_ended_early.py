"""Runs that end before their last epoch, or whose directory or results are not what they were."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import TINY, lta_run, train

from lta.cli.resolvers import _claim_directory
from lta.runtime.files import read_json
from lta.runtime.run_directory import read_results
from lta.sweep.jobs import Job
from lta.sweep.session import read_metrics
from lta.sweep.table import collect
from lta.training.shared_directory import SharedDirectory


def epochs(directory):
    return [line.split(",")[0] for line in (directory / "metrics.csv").read_text().splitlines()[1:]]


def test_a_run_that_time_has_ended_is_not_complete_and_goes_on(tmp_path):
    settings = [*TINY, "recipe.epochs=3", "model.dropout=1"]
    run = tmp_path / "run"
    said = train(*settings, "trainer.max_time={microseconds: 1}", f"hydra.run.dir={run}")
    assert "trainer.max_time has ended the training after 1 of 3 epochs: resume=" in said
    assert read_json(run / "results.json")["complete"] is False
    assert epochs(run) == ["0"], "the epoch that was begun is whole"
    train(f"resume={run}", "trainer.max_time=null")
    assert read_json(run / "results.json")["complete"] is True
    assert epochs(run) == ["0", "1", "2"]
    train(*settings, f"hydra.run.dir={tmp_path}/whole")
    one, other = (read_json(tmp_path / name / "results.json")["test"] for name in ("run", "whole"))
    assert one == other, "as if it had never been ended"


@pytest.mark.parametrize("limit", ["8h", "0", "[1]", "{weeks: x}", "{fortnights: 1}"])
def test_a_limit_that_is_none(capsys, tmp_path, limit):
    ended = lta_run(capsys, [*TINY, f"trainer.max_time={limit}", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 1
    assert ended.err.startswith("error: trainer.max_time=")
    assert ended.err.count("\n") == 1


def test_a_fast_run_for_development_goes_through(tmp_path):
    said = train(*TINY, "+trainer.fast_dev_run=true", f"hydra.run.dir={tmp_path}/run")
    assert "a batch of each kind went through" in said
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.usefixtures("shapes_unchecked")
def test_a_directory_that_was_removed_ends_the_run(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").touch()
    looks, trainer = SharedDirectory(str(run)), SimpleNamespace(world_size=1, is_global_zero=True)
    looks.on_fit_start(trainer, None)
    looks.on_train_epoch_end(trainer, None)
    shutil.rmtree(run)
    with pytest.raises(ValueError, match="run was removed or moved while the run was trained"):
        looks.on_train_epoch_end(trainer, None)


def test_runs_begun_in_the_same_second_have_directories_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    claimed = [_claim_directory("runs/2026-01-01_vgg") for _ in range(3)]
    assert claimed == ["runs/2026-01-01_vgg", "runs/2026-01-01_vgg_2", "runs/2026-01-01_vgg_3"]
    assert all(Path(name).is_dir() for name in claimed)


@pytest.mark.parametrize("content", ["", '{"test": {"er', "[]"])
def test_results_that_cannot_be_read_stop_no_sweep(tmp_path, content):
    run = tmp_path / "one"
    run.mkdir()
    (run / "results.json").write_text(content)
    (run / "console.log").touch()
    assert read_results(run) is None
    job = Job("one", run, version="any")
    assert read_metrics(job) == {"val/error": None, "test/error": None}
    assert [one["status"] for one in collect(tmp_path, [job])["runs"]] == ["unfinished"]


def test_lightnings_ways_to_look_for_mistakes_work(tmp_path):
    """One batch is learnt by heart; some batches of each kind go through."""
    settings = ("recipe.epochs=30", "recipe.lr=0.05", "+trainer.overfit_batches=1", "data.train_size=64")
    train(*TINY, *settings, f"hydra.run.dir={tmp_path}/overfit")
    rows = (tmp_path / "overfit" / "metrics.csv").read_text().splitlines()
    losses = [float(row[rows[0].split(",").index("train/loss")]) for row in (line.split(",") for line in rows[1:])]
    assert losses[-1] < 0.5 * losses[0]
    train(*TINY, "+trainer.limit_train_batches=1", "+trainer.limit_val_batches=1", f"hydra.run.dir={tmp_path}/limit")
    assert (tmp_path / "limit" / "results.json").is_file()
