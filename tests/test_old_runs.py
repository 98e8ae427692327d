"""Runs that an older version began or finished go on with this one: resumed, asked, reported, their sweep continued."""

import csv
import json
import re
import shutil
import sys

import processes
import pytest
from commands import assert_refused, environment, lta_run, read_wandb
from old_runs import RUNS, read_recorded

from lta.evaluate.__main__ import evaluate
from lta.inference.checkpoint import read_checkpoint
from lta.training.devices import bfloat16_is_faster

HALF_A_SWEEP = (
    "-m",
    "experiment=quickstart",
    "model.width=0.03125",
    "data.train_size=64",
    "data.val_size=32",
    "data.test_size=32",
    "data.batch_size=32",
    "callbacks.attention_maps.images=1",
    "trainer=cpu",
    "model=vgg_att1",
    "seed=0,1",
    "recipe.epochs=1",
    "logger=none",
)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Copies, in the directory that commands are given in."""
    shutil.copytree(RUNS, tmp_path / "runs", ignore=shutil.ignore_patterns("recorded"))
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


def read_json(path):
    return json.loads(path.read_text())


def read_metrics(path):
    """A mapping an epoch, without what it has no value for."""
    with path.open() as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def ask(capsys, *arguments):
    return lta_run(capsys, arguments, evaluate, "evaluate", lists=("evaluator", "checkpoint"), sweeps=False)


def start(module, *arguments, cwd):
    """In a process of its own."""
    told = [sys.executable, "-m", f"lta.{module}", *arguments]
    return processes.run(told, cwd=cwd, env=environment())


def test_a_stopped_run_goes_on_to_its_end(runs):
    run = runs / "stopped"
    before = read_metrics(run / "metrics.csv")
    ended = start("run", "resume=stopped", cwd=runs)
    assert ended.returncode == 0, ended.stderr
    assert "epoch 2/3" in ended.stdout
    assert "epoch 1/3" not in ended.stdout
    after, recorded = read_metrics(run / "metrics.csv"), read_metrics(RUNS / "recorded" / "resumed_metrics.csv")
    assert after[: len(before)] == before
    for row, other in zip(after, recorded, strict=True):
        for key in {"epoch", "train/loss", "train/error", "val/loss", "val/error", "lr", "attention/C/change"} & set(other):
            assert row[key] == pytest.approx(other[key], rel=1e-2), (row["epoch"], key)
    assert read_json(run / "results.json")["complete"]
    assert len(read_json(run / "run.json")["starts"]) == 2
    assert list((run / "tensorboard").glob("events.*"))
    offline, records = read_wandb(run)
    assert offline.name.endswith((run / "wandb_id").read_text().strip())
    assert sum("train/loss" in one["history"]["item"] for one in records if one["type"] == "history") == 3
    errors = [row["val/error"] for row in after]
    assert read_checkpoint(run / "checkpoints" / "best.ckpt")["epoch"] == errors.index(min(errors)), "it knew its best"


def test_a_run_is_known_again_by_its_command(runs, capsys):
    told = read_json(runs / "finished_wandb" / "run.json")["starts"][0]["command"][3:]
    ended = lta_run(capsys, [*told, "resume=auto"])
    assert ended.status == 0, ended.err
    assert "this run is complete: there is nothing to resume" in ended.out
    assert_refused(lta_run(capsys, [*told, "resume=auto", "recipe.lr=0.1"]), "recipe.lr is 0.16 there, but 0.1 here")


def test_a_finished_run_is_asked_and_answers_as_before(runs, capsys):
    evaluations = runs / "finished" / "evaluations"
    before = {path.stem: read_json(path) for path in evaluations.glob("*.json")}
    told = before["classification"]["command"][3:]
    ended = ask(capsys, *told)
    assert ended.status == 0, ended.err
    for name in ("classification", "localisation", "faithfulness", "roles", "query", "robustness"):
        assert_close(read_json(evaluations / f"{name}.json")["figures"], before[name]["figures"], name)


def assert_close(found, recorded, where):
    """Every figure that was recorded is found again; there may be more."""
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in found, where
            assert_close(found[key], value, f"{where}/{key}")
    elif isinstance(recorded, list):
        assert len(found) == len(recorded), where
        for number, (one, other) in enumerate(zip(found, recorded, strict=True)):
            assert_close(one, other, f"{where}/{number}")
    elif isinstance(recorded, float):
        assert found == pytest.approx(recorded, rel=0.02, abs=0.02), where
    elif isinstance(recorded, str):
        assert hide_rounding(found) == hide_rounding(recorded), where
    else:
        assert found == recorded, where


def hide_rounding(words):
    """Numbers below a millionth are rounding, of which each kind of processor has its own."""
    return re.sub(r"\d(\.\d+)?e-(0[6-9]|[1-9]\d)", "ROUNDING", words)


@pytest.mark.slow
def test_an_answer_reaches_the_wandb_run_that_it_belongs_to(runs):
    ended = start("evaluate", "checkpoint=finished_wandb", "evaluator=classification", cwd=runs)
    assert ended.returncode == 0, ended.stderr
    offline, records = read_wandb(runs / "finished_wandb")
    assert offline.name.endswith((RUNS / "finished_wandb" / "wandb_id").read_text().strip())
    assert "evaluation/classification/error" in str(records)


@pytest.mark.slow
def test_half_a_sweep_goes_on_where_its_code_is_allowed(runs):
    sweep = runs / "multirun" / "seed_e881f8d0"
    results = sweep / "seed-0" / "results.json"
    here = "bf16-mixed" if bfloat16_is_faster("cpu") else "32-true"  # another precision would be another configuration
    results.write_text(results.read_text().replace('"precision": "32-true"', f'"precision": "{here}"'))
    before = results.read_bytes()
    refused = start("run", *HALF_A_SWEEP, cwd=runs)
    assert refused.returncode == 1
    assert "1 of the 2 jobs were finished by other versions of the code (853a3f0d88df; now " in refused.stderr
    assert "hydra.launcher.code=any takes them as they are" in refused.stderr

    ended = start("run", *HALF_A_SWEEP, "hydra.launcher.code=any", cwd=runs)
    assert ended.returncode == 0, ended.stderr
    assert "finished before, so skipped: seed-0" in ended.stdout
    assert [path.name for path in (runs / "multirun").iterdir()] == [sweep.name]
    assert (sweep / "seed-0" / "results.json").read_bytes() == before
    assert read_json(sweep / "seed-1" / "results.json")["complete"]
    (group,) = read_json(sweep / "sweep.json")["groups"]
    assert group["seeds"] == [0, 1]

    assert start("report", "multirun", "--out", "page", cwd=runs).returncode == 0
    (configuration,) = read_json(runs / "page" / "report.json")["configurations"]
    assert [run["seed"] for run in configuration["runs"]] == [0, 1], "an old run and a new one are one configuration"


def test_the_report_shows_old_runs_as_before(runs):
    ended = start("report", "finished", "finished_wandb", "multirun", "stopped", "--out", "page", cwd=runs)
    assert ended.returncode == 0, ended.stderr
    page, recorded = read_json(runs / "page" / "report.json"), read_recorded("report")
    assert page["configurations"] == recorded["configurations"]
    assert page["answers"] == recorded["answers"]
