"""The W&B run and the TensorBoard files of a finished training, begun again for what is found out later."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

from lta.cli.saved import read_logger_settings
from lta.loggers.session import Session, open_session
from lta.loggers.wandb_run import wandb_logger
from lta.runtime import ranks, run_directory

WANDB = "lta.loggers.wandb_run.wandb_logger"
TENSORBOARD = "lta.loggers.tensorboard.tensorboard_logger"


@contextmanager
def reopen_session(directory: Path, with_wandb: bool) -> Iterator[Session]:
    """The W&B run, if it is wanted, and the TensorBoard files that belong to a run directory. A logger is left out, and it
    is said, where its package is not installed, or another process writes to the W&B run: W&B would take rows of two writers
    for those of one."""
    path = directory / "config.yaml"
    keys = set(signature(wandb_logger).parameters) - {"directory"}
    of_wandb = read_logger_settings(path, WANDB, keys) if with_wandb and path.is_file() else None
    of_tensorboard = read_logger_settings(path, TENSORBOARD, ()) if path.is_file() and ranks.is_first() else None
    if of_wandb is not None and run_directory.is_being_run(directory):
        _say(f"W&B: nothing is sent, because {directory} is still being run: repeat this when it has ended")
        of_wandb = None
    if of_wandb is not None and find_spec("wandb") is None:
        _say(f"W&B: nothing of {directory} is sent: the package wandb is not installed here (pip install wandb)")
        of_wandb = None
    if of_tensorboard is not None and find_spec("tensorboard") is None:
        _say(f"TensorBoard: nothing is written for {directory}: its package is not installed (pip install tensorboard)")
        of_tensorboard = None
    with open_session(filter(None, (of_wandb, of_tensorboard)), directory) as session:
        yield session


def _say(line: str) -> None:
    if ranks.is_first():
        print(line)
