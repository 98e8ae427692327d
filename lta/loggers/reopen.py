"""The W&B run of a finished training, begun again for what is found out later."""

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


@contextmanager
def reopen_session(directory: Path, wanted: bool) -> Iterator[Session]:
    """The W&B run that belongs to a run directory; without loggers where it has none, none is `wanted`, wandb is not
    installed, or another process writes to it: W&B would take rows of two writers for those of one."""
    path = directory / "config.yaml"
    keys = set(signature(wandb_logger).parameters) - {"directory"}
    node = read_logger_settings(path, WANDB, keys) if wanted and path.is_file() else None
    if node is not None and run_directory.is_being_run(directory):
        if ranks.is_first():
            print(f"W&B: nothing is sent, since {directory} is still being run: ask again when it has ended")
        node = None
    if node is not None and find_spec("wandb") is None:
        if ranks.is_first():
            print(f"W&B: nothing is sent of {directory}, since the package wandb is not installed here: pip install wandb")
        node = None
    with open_session([node], directory) as session:
        yield session
