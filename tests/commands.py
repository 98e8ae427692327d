"""Runs `python -m lta.run` inside the test process: the same code, without the seconds of imports of each command."""

import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jaxtyping
import processes
import pytest

TINY = (
    "experiment=quickstart",
    "model.width=0.0625",
    "recipe.epochs=1",
    "data.train_size=64",
    "data.val_size=32",
    "data.test_size=32",
    "data.batch_size=32",
    "logger=none",
    "trainer=cpu",
)
"""A run of seconds."""


def command(*arguments: str) -> list[str]:
    """`python -m lta.run ...` as a process of its own."""
    return [sys.executable, "-m", "lta.run", *arguments]


def environment() -> dict[str, str]:
    """One thread; and a W&B service of its own, not the one that an earlier test has left in this process."""
    return {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"} | {"OMP_NUM_THREADS": "1"}


def read_wandb(directory: Path) -> tuple[Path, list[dict]]:
    """The only offline run of a run directory, and its records."""
    (offline,) = (directory / "wandb").glob("offline-run-*")
    tool = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(offline)]
    lines = processes.run(tool, check=True).stdout.splitlines()
    return offline, [json.loads(line) for line in lines]


class Ended(NamedTuple):
    status: int
    out: str
    err: str


def run_here(arguments: Sequence[str], task: Callable | None = None, *launched: Any, **options: Any) -> int | str:
    """Runs one command in this process; its exit status. Of another entry point, its `task`."""
    from lta.cli.launch import launch
    from lta.run.__main__ import run

    before, handlers, environment = sys.argv, logging.root.handlers[:], dict(os.environ)
    sys.argv = ["lta.run", *arguments]
    jaxtyping.config.update("jaxtyping_disable", True)  # as users run it: shapes and types are checked by the tests
    try:
        launch(task or run, *launched, **options)
        return 0
    except SystemExit as end:
        return end.code or 0
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
        sys.argv = before
        for handler in logging.root.handlers[:]:
            if handler not in handlers:
                handler.close()
        logging.root.handlers[:] = handlers
        changed = {name for name, _ in set(os.environ.items()) ^ set(environment.items())} - set(LEFT_BY_LIBRARIES)
        assert not changed, f"a run changes the environment: {changed}"
        for name in LEFT_BY_LIBRARIES:
            os.environ.pop(name, None)


def lta_run(
    capsys: pytest.CaptureFixture, arguments: Sequence[str], task: Callable | None = None, *launched: Any, **options: Any
) -> Ended:
    """Exit status, standard output and standard error of one command; of another entry point, its `task`."""
    capsys.readouterr()
    status = run_here(arguments, task, *launched, **options)
    return Ended(status, *capsys.readouterr())


def train(*arguments: str) -> str:
    """Runs the command here, for fixtures of a module and where the process is not the point; what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = run_here(arguments)
    assert status == 0, out.getvalue()
    return out.getvalue()


LEFT_BY_LIBRARIES = (
    "PL_GLOBAL_SEED",
    "PL_SEED_WORKERS",
    "PYTEST_CURRENT_TEST",
    "KMP_INIT_AT_FORK",
    "KMP_DUPLICATE_LIB_OK",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "TORCHINDUCTOR_CACHE_DIR",
)


def assert_refused(ended: Ended, says: str) -> None:
    """It ended by an error in one line, of which `says` is a part."""
    lines = [line for line in ended.err.splitlines() if line]
    assert ended.status != 0
    assert [line for line in lines if line.startswith("error: ")] == lines, f"more than the one line: {ended.err}"
    assert len(lines) == 1, ended.err
    assert says in ended.err
    assert "Traceback" not in ended.out
