"""Whole sweeps, as a user starts them: real trainings, each a process of its own."""

import json
import signal
import subprocess
import time

import processes
import pytest
import yaml
from commands import TINY, command, environment, read_wandb


def start(*arguments, cwd, **options):
    return processes.run(command("-m", *arguments), cwd=cwd, env=environment(), **options)


def only_sweep(tmp_path):
    (sweep,) = (tmp_path / "multirun").iterdir()
    return sweep


def results(directory):
    return json.loads((directory / "results.json").read_text())


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_job_that_failed_and_when_it_is_given_again(tmp_path):
    kept = [argument for argument in TINY if not argument.startswith("model.width")]
    ended = start(*kept, "model.width=0,0.0625", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "error: 1 of 2 jobs failed; model.width-0: model.width=0 must be a number in (0, 64)"
    ]
    sweep = only_sweep(tmp_path)
    assert not (sweep / "model.width-0" / "results.json").exists()
    assert "error: model.width=0 must be" in (sweep / "model.width-0" / "console.log").read_text()
    before = (sweep / "model.width-0.0625" / "results.json").read_bytes()

    ended = start(*kept, "model.width=0.0625,0.09375", "hydra.launcher.slots=2", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert only_sweep(tmp_path) == sweep
    assert (sweep / "model.width-0.0625" / "results.json").read_bytes() == before
    assert results(sweep / "model.width-0.09375")["threads"] == 1
    assert "finished before, so skipped: model.width-0.0625\n" in ended.stdout
    groups = json.loads((sweep / "sweep.json").read_text())["groups"]
    assert [(group["overrides"], group["n"]) for group in groups] == [
        ({"model.width": "0.0625"}, 1),
        ({"model.width": "0.09375"}, 1),
    ]


@pytest.mark.slow
def test_the_jobs_of_a_sweep_are_runs_of_their_own(tmp_path):
    ended = start(*TINY, "model=vgg_att1,vgg_gap", "logger=wandb", "logger.wandb.mode=offline", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    jobs = [only_sweep(tmp_path) / f"model-{model}" for model in ("vgg_att1", "vgg_gap")]
    for job in jobs:
        assert results(job)["levels"] == ["C"]
        offline, records = read_wandb(job)
        assert len(list(offline.glob("*.wandb"))) == 1
        assert sum("train/loss" in record["history"]["item"] for record in records if record["type"] == "history") == 1
    assert (jobs[0] / "wandb_id").read_text() != (jobs[1] / "wandb_id").read_text()


@pytest.mark.slow
def test_jobs_of_several_processes_stay_apart(tmp_path):
    """Lightning starts the first job's second process by its command line: that must be no sweep, nor join the next job."""
    several = ["trainer.strategy=ddp", "trainer.devices=2,1", "logger=wandb", "logger.wandb.mode=offline"]
    ended = start(*TINY, *several, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["multirun"]
    for devices in (2, 1):
        job = only_sweep(tmp_path) / f"trainer.devices-{devices}"
        assert results(job)["processes"] == devices
        assert len(json.loads((job / "run.json").read_text())["starts"]) == 1
        assert len(list((job / "wandb").glob("offline-run-*"))) == 1


@pytest.mark.slow
def test_a_job_of_several_processes_that_fails_leaves_the_next_alone(tmp_path):
    kept = [argument for argument in TINY if not argument.startswith("data.batch_size")]
    two = ["trainer.strategy=ddp", "trainer.devices=2,1", "data.batch_size=31"]
    ended = start(*kept, *two, cwd=tmp_path, timeout=300)
    assert ended.returncode == 1
    line = "data.batch_size=31 must be a positive multiple of the 2 processes"
    assert ended.stderr.splitlines()[-1] == f"error: 1 of 2 jobs failed; trainer.devices-2: {line}"
    assert results(only_sweep(tmp_path) / "trainer.devices-1")["processes"] == 1


@pytest.mark.slow
def test_a_stopped_sweep_leaves_nothing_running_and_goes_on(tmp_path):
    long = [*TINY, "recipe.epochs=10", "data.train_size=320", "seed=0,1", "hydra.launcher.slots=2"]
    running = processes.Started(command("-m", *long), cwd=tmp_path, env=environment())
    while len(list(tmp_path.glob("multirun/*/*/checkpoints/last.ckpt"))) < 2:
        assert running.poll() is None, "the sweep ended before it could be stopped"
        time.sleep(0.05)
    children = processes.list_children(running.pid)
    assert len(children) == 2
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=30) == 143
    assert running.stderr.splitlines() == ["stopped by SIGTERM; 0 of 2 jobs done; repeat the command to continue"]
    listed = ["ps", "-o", "pid=", "-p", ",".join(map(str, children))]
    left = subprocess.run(listed, capture_output=True, text=True).stdout.split()
    assert left == []

    ended = start(*long, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for seed in (0, 1):
        job = only_sweep(tmp_path) / f"seed-{seed}"
        assert [row["epoch"] for row in results(job)["history"]] == list(range(10))
        assert len(json.loads((job / "run.json").read_text())["starts"]) == 2


@pytest.mark.slow
def test_a_search_is_told_the_validation_error_of_each_job(tmp_path):
    """conf/experiment/search_rate.yaml, by Optuna."""
    kept = [argument for argument in TINY if not argument.startswith("experiment=")]
    options = [
        "experiment=search_rate",
        *kept,
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.n_jobs=2",
        "hydra.launcher.slots=2",
    ]
    ended = start(*options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    sweep = only_sweep(tmp_path)
    jobs = [path for path in sweep.iterdir() if path.is_dir()]
    assert len(jobs) == 3
    assert all(path.name.startswith("recipe.lr-0.") and "schedule.warmup-" in path.name for path in jobs)
    best = yaml.safe_load((sweep / "optimization_results.yaml").read_text())
    errors = [results(path)["history"][-1]["val/error"] for path in jobs]
    assert best["best_value"] == pytest.approx(min(errors))
    assert len(json.loads((sweep / "sweep.json").read_text())["runs"]) == 3
