"""The W&B run of a finished training, begun again for what is found out later."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lta.cli.migrate import read_config
from lta.cli.trust import current_trust
from lta.loggers.session import Session, open_session
from lta.runtime import ranks, run_directory

WANDB = "lta.loggers.wandb_run.wandb_logger"


@contextmanager
def reopen_session(directory: Path, wanted: bool) -> Iterator[Session]:
    """The W&B run that belongs to a run directory; without loggers where it has none, none is `wanted`, or another process
    writes to it: W&B would take rows of two writers for those of one."""
    path = directory / "config.yaml"
    nodes = (read_config(path).get("logger") or {}) if wanted and path.is_file() else {}
    node = next((node for node in nodes.values() if node and node.get("_target_") == WANDB), None)
    if node is not None and run_directory.is_being_run(directory):
        if ranks.is_first():
            print(f"W&B: nothing is sent, since {directory} is still being run: ask again when it has ended")
        node = None
    if node is not None:
        current_trust().check({"logger": {"wandb": node}}, path)
    with open_session([node], directory) as session:
        yield session
