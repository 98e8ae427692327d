"""Runs that log to W&B, in processes of their own, and what they leave."""

import json
import os
import sys
from pathlib import Path

import processes
from commands import TINY

HERE = Path(__file__).resolve().parent

WANDB = [option for option in TINY if not option.startswith("logger")] + ["logger=wandb"]
OFFLINE = [*WANDB, "logger.wandb.mode=offline"]


def environment(**more):
    """One thread, nobody's login, and no W&B service but the run's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return kept | {"OMP_NUM_THREADS": "1"} | more


def lta(*arguments, cwd, script=None, timeout=240, **more):
    """`python -m lta.run ARGUMENTS`, or a script of this folder; what it returned and printed."""
    program = ["-m", "lta.run"] if script is None else [str(HERE / script)]
    command = [sys.executable, *program, *map(str, arguments)]
    return processes.run(command, cwd=cwd, env=environment(**more), timeout=timeout)


def parts(directory):
    return sorted((directory / "wandb").glob("*run-*"))


def records(part):
    viewer = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", part]
    lines = processes.run(viewer, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def history(directory):
    """The rows of all parts, in the order in which they were begun."""
    return [r["history"]["item"] for part in parts(directory) for r in records(part) if r["type"] == "history"]


def epochs(rows):
    return [row["epoch"] for row in rows if "train/loss" in row]
