"""Whole commands, for the benchmarks that time one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent


OFFLINE = "logger.wandb.mode=offline"


def lta_run(directory: str | Path, overrides: Sequence[str], threads: int | None = None, logger: str = OFFLINE) -> None:
    """`python -m lta.run` in `directory`, W&B offline or another `logger`, on so many threads (None: as torch chooses);
    callbacks of this folder are found and trusted. Raises ValueError with all that was printed where the command fails.
    """
    own = [name for key, _, name in (override.partition("=") for override in overrides) if key.endswith("._target_")]
    trusted = [f"trust=[{','.join(own)}]"] if own else []
    command = [sys.executable, "-m", "lta.run", logger, *overrides, *trusted]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise ValueError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
