"""The logger of a run that was trained before, for what is found out about it later."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lta.cli.migrate import read_config
from lta.instantiate import build
from lta.loggers.wandb_logger import RunLogger
from lta.loggers.wandb_run import finish_runs
from lta.runtime import ranks, run_directory

WANDB = "lta.loggers.wandb_run.wandb_logger"


@contextmanager
def reopen_loggers(directory: Path, wanted: bool) -> Iterator[list[RunLogger]]:
    """The W&B run that belongs to a run directory, begun again; [] where it has none, none is `wanted`, or another process
    writes to it: W&B would take rows of two writers for those of one."""
    path = directory / "config.yaml"
    nodes = (read_config(path).get("logger") or {}) if wanted and path.is_file() else {}
    node = next((node for node in nodes.values() if node and node.get("_target_") == WANDB), None)
    if node is not None and run_directory.is_being_run(directory):
        if ranks.is_first():
            print(f"W&B: nothing is sent, since {directory} is still being run: ask again when it has ended")
        node = None
    if node is None:
        yield []
        return
    logger = build(node, directory=str(directory))
    complete = False
    try:
        yield [logger]
        complete = True
    finally:
        finish_runs([logger], failed=not complete)
