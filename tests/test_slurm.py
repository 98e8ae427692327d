"""Sweeps through submitit: on this machine, and by a stand-in for Slurm's commands. No real cluster is tried."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import processes
import pytest
from commands import TINY, command, environment
from slurm_stand_in import install

SWEEP = ("-m", *(argument for argument in TINY if argument != "trainer=cpu"), "trainer=ddp", "trainer.accelerator=cpu")


def directories(cwd):
    (sweep,) = (cwd / "multirun").iterdir()
    return {path.name: path for path in sweep.iterdir() if path.is_dir() and path.name != ".submitit"}


def epochs(directory):
    return [line.split(",")[0] for line in (directory / "metrics.csv").read_text().splitlines()[1:]]


@pytest.mark.slow
def test_submitit_on_this_machine_goes_on_where_jobs_have_begun(tmp_path):
    options = [*SWEEP, "trainer.devices=1", "hydra/launcher=submitit_local", "seed=0,1"]
    processes.run(command(*options), cwd=tmp_path, env=environment(), check=True, timeout=300)
    jobs = directories(tmp_path)
    assert set(jobs) == {"seed-0", "seed-1"}
    (jobs["seed-1"] / "results.json").unlink()
    again = command(*options[:-1], "seed=1,2")
    processes.run(again, cwd=tmp_path, env=environment(), check=True, timeout=300)
    jobs = directories(tmp_path)
    assert set(jobs) == {"seed-0", "seed-1", "seed-2"}
    starts = {name: len(json.loads((path / "run.json").read_text())["starts"]) for name, path in jobs.items()}
    assert starts == {"seed-0": 1, "seed-1": 2, "seed-2": 1}
    assert all(epochs(path) == ["0"] for path in jobs.values())


@pytest.mark.slow
def test_jobs_by_submitit_have_directories_of_their_own_where_the_sweep_has_a_name(tmp_path):
    options = [*SWEEP, "trainer.devices=1", "hydra/launcher=submitit_local", "hydra.sweep.dir=mine", "seed=0,1"]
    processes.run(command(*options), cwd=tmp_path, env=environment(), check=True, timeout=300)
    assert {path.parent.name for path in tmp_path.glob("mine/*/results.json")} == {"seed-0", "seed-1"}


@pytest.mark.slow
def test_a_job_that_fails_by_submitit_fails_the_command(tmp_path):
    options = [*SWEEP, "trainer.devices=1", "hydra/launcher=submitit_local", "recipe.lr=0.1,-1"]
    ended = processes.run(command(*options), cwd=tmp_path, env=environment(), timeout=300)
    assert ended.returncode == 1
    assert "error: recipe.lr=-1 must be a number in (0, 100)" in ended.stderr
    assert (directories(tmp_path)["recipe.lr-0.1"] / "results.json").is_file()


@pytest.mark.slow
def test_slurm_runs_a_task_a_device_and_a_preempted_job_goes_on(tmp_path):
    slurm = tmp_path / "slurm"
    env = {**environment(), **install(slurm)}
    options = [*SWEEP, "recipe.epochs=10", "data.train_size=640", "trainer.devices=2", "hydra/launcher=slurm", "seed=0,1"]
    options += ["hydra.launcher.gpus_per_node=null", "logger=wandb", "logger.wandb.mode=offline"]
    sweep = subprocess.Popen(
        command(*options), cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        first = None
        while first is None or not (first / "checkpoints" / "last.ckpt").is_file():
            assert sweep.poll() is None, sweep.stderr.read()
            time.sleep(0.1)
            found = directories(tmp_path) if (tmp_path / "multirun").is_dir() else {}
            first = found.get("seed-0")
        preempt(slurm / "4711_0.json")
        assert not (first / "results.json").is_file(), "the run ended before it could be preempted"
        _, err = sweep.communicate(timeout=400)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, err
    given = json.loads((slurm / "4711_0.json").read_text())
    assert given["given"]["ntasks-per-node"] == "2"
    assert given["given"]["signal"] == "USR2@120"
    assert given["restarts"] == 1
    assert "export SLURM_KILL_BAD_EXIT=1\n" in (slurm / "script.sh").read_text()
    assert (slurm / "asked").read_text().split() == ["requeue", "4711_0"]
    jobs = directories(tmp_path)
    assert set(jobs) == {"seed-0", "seed-1"}
    for name, starts in (("seed-0", 2), ("seed-1", 1)):
        assert len(json.loads((jobs[name] / "run.json").read_text())["starts"]) == starts
        assert json.loads((jobs[name] / "results.json").read_text())["processes"] == 2
        assert epochs(jobs[name]) == [str(epoch) for epoch in range(10)]
        parts = [path.name.rpartition("-")[2] for path in (jobs[name] / "wandb").glob("offline-run-*")]
        assert parts == [(jobs[name] / "wandb_id").read_text()] * starts


def preempt(job):
    """What Slurm sends to a job that must go: SIGTERM and, as submitit asks for, SIGUSR2 to all its processes."""
    python = [pid for pid in below(json.loads(job.read_text())["pid"]) if runs_submitit(pid)]
    for number in (signal.SIGTERM, signal.SIGUSR2):
        for pid in python:
            os.kill(pid, number)


def runs_submitit(pid):
    arguments = of_process(pid, "cmdline").split("\0")
    return "submitit.core._submit" in arguments and not any("srun" in argument for argument in arguments)


def below(pid):
    children = of_process(pid, f"task/{pid}/children").split()
    return [int(child) for child in children] + [other for child in children for other in below(int(child))]


def of_process(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:  # It has ended meanwhile
        return ""
