"""An epoch's row and pictures to one logger, and what a logger has already of a run that is resumed."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from lta.loggers import tensorboard
from lta.loggers.logged import NOTHING, LoggedRows
from lta.loggers.run_logger import RunLogger


@runtime_checkable  # the tests check types
class Pictures(Protocol):
    """An epoch's pictures: `sheet` is all of them in one, `strips()` one by one, each with its caption."""

    @property
    def sheet(self) -> Image.Image: ...

    def strips(self) -> Iterable[tuple[Image.Image, str]]: ...


def read_logged_rows(logger: Logger, before: frozenset[int]) -> LoggedRows:
    """What the logger has of this run; where nobody can tell, the epochs `before` this start."""
    if isinstance(logger, RunLogger):
        return logger.read_logged_rows() or LoggedRows(before, tested=False)
    if isinstance(logger, TensorBoardLogger):
        return tensorboard.read_logged_rows(logger)
    return NOTHING._replace(epochs=before)


def send_row(logger: Logger, epoch: int, metrics: Mapping[str, float], pictures: Pictures | None = None) -> None:
    """One row; `pictures` join it."""
    if isinstance(logger, WandbLogger):
        import wandb

        # W&B numbers rows itself and draws over `epoch`; other loggers take the epoch as their step.
        strips = [wandb.Image(strip, caption=caption) for strip, caption in pictures.strips()] if pictures else None
        row: dict[str, Any] = {**metrics, **({"attention/panel": strips} if strips else {}), "epoch": epoch}
        logger.log_metrics(row)
        return
    logger.log_metrics(dict(metrics), step=epoch)
    if isinstance(logger, TensorBoardLogger):
        if pictures:
            sheet = np.asarray(pictures.sheet)
            logger.experiment.add_image("attention/panel", sheet, global_step=epoch, dataformats="HWC")
        logger.experiment.flush()
