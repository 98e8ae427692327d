"""TensorBoard files in a run directory."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import TensorBoardLogger

from lta.loggers.logged import NOTHING, LoggedRows
from lta.loggers.wandb_evaluation import flatten_estimates


def tensorboard_logger(directory: str) -> TensorBoardLogger:
    """Writes event files to `<directory>/tensorboard`; needs the extra lta[tensorboard]."""
    return TensorBoardLogger(directory, name="", version="tensorboard", default_hp_metric=False)


def read_logged_rows(logger: TensorBoardLogger) -> LoggedRows:
    """What a resumed run's files have already."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not Path(logger.log_dir).is_dir():
        return NOTHING
    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it says that there are no more files
    events = EventAccumulator(logger.log_dir, size_guidance={"scalars": 0}).Reload()
    tags = events.Tags()["scalars"]
    rows = events.Scalars("time/seconds") if "time/seconds" in tags else []
    return NOTHING._replace(epochs=frozenset(row.step for row in rows), tested="test/error" in tags)


def send_answers(logger: TensorBoardLogger, results: Mapping[str, Any]) -> None:
    """The figures and pictures of evaluators, by an evaluator's name its Result, as `evaluation/<name>/<figure>`."""
    for name, result in results.items():
        for figure, value in flatten_estimates(result.figures):
            logger.experiment.add_scalar(f"evaluation/{name}/{figure}", value)
        for picture, image in result.pictures.items():
            logger.experiment.add_image(f"evaluation/{name}/{picture}", np.asarray(image.convert("RGB")), dataformats="HWC")
    logger.experiment.flush()
