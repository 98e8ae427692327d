"""The loggers of one run: begun together, told the same things, finished together."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from lta.checks import require_package
from lta.instantiate import build, takes
from lta.loggers import tensorboard
from lta.loggers.run_logger import RunLogger
from lta.loggers.wandb_artifacts import send_checkpoints
from lta.loggers.wandb_evaluation import send_answers

NEEDED = {
    "lta.loggers.wandb_run.wandb_logger": ("logger=wandb", "wandb", "pip install wandb, or logger=csv does without"),
    "lta.loggers.tensorboard.tensorboard_logger": (
        "logger=tensorboard",
        "tensorboard",
        "pip install 'lta[tensorboard]', or logger=csv does without",
    ),
}
"""By what makes a logger: the setting that asks for it, the package that it needs, and ways."""


def check_installed(nodes: Iterable[Any]) -> None:
    """Raises ValueError where a package is missing for the logger of one of the `nodes`, before anything is begun."""
    for node in filter(None, nodes):
        if needed := NEEDED.get(node.get("_target_")):
            setting, package, ways = needed
            require_package(package, setting, ways)


class Session:
    """`loggers` go to the trainer, which hands them what `EpochSend` sends; the rest of a run talks to the session."""

    def __init__(self, loggers: Iterable[Logger] = ()):
        self.loggers = list(loggers)

    def send_answers(self, answers: Mapping[str, Any]) -> None:
        """An evaluator's Result by its name; to loggers that have a place for tables and pictures of no epoch."""
        send_answers(self.loggers, answers)
        for logger in self.loggers:
            if isinstance(logger, TensorBoardLogger):
                tensorboard.send_answers(logger, answers)

    def send_checkpoints(self) -> None:
        """The files that a logger was told to keep (`logger.wandb.checkpoints`), when they change no more."""
        send_checkpoints(self.loggers)

    def finish(self, failed: bool) -> None:
        """Ends the W&B run: the next job of a sweep in this process is a run of its own. Never raises, never hangs.

        Lightning finishes other loggers itself.
        """
        for logger in self.loggers:
            if isinstance(logger, RunLogger):
                logger.finish(failed)


@contextmanager
def open_session(nodes: Iterable[Any], directory: Path, config: Mapping[str, Any] | None = None) -> Iterator[Session]:
    """The loggers of `nodes` (null ones are left out); each gets the run's `config`, where it is given. Those with an
    argument `directory` get that, to write below it. However the block ends, they are finished."""
    session = Session()
    complete = False
    try:
        for node in filter(None, nodes):
            below = {"directory": str(directory)} if takes(node, "directory") else {}  # Lightning's own have another
            session.loggers.append(build(node, **below))
            if config is not None:
                session.loggers[-1].log_hyperparams(dict(config))
        yield session
        complete = True
    finally:
        session.finish(failed=not complete)
