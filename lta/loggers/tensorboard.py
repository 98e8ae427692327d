"""TensorBoard files in a run directory."""

from pathlib import Path

from pytorch_lightning.loggers import TensorBoardLogger

from lta.loggers.logged import NOTHING, LoggedRows


def tensorboard_logger(directory: str) -> TensorBoardLogger:
    """Writes event files to `<directory>/tensorboard`; needs the extra lta[tensorboard]."""
    return TensorBoardLogger(directory, name="", version="tensorboard", default_hp_metric=False)


def read_logged_rows(logger: TensorBoardLogger) -> LoggedRows:
    """What a resumed run's files have already."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not Path(logger.log_dir).is_dir():
        return NOTHING
    events = EventAccumulator(logger.log_dir, size_guidance={"scalars": 0}).Reload()
    tags = events.Tags()["scalars"]
    rows = events.Scalars("time/seconds") if "time/seconds" in tags else []
    return NOTHING._replace(epochs=frozenset(row.step for row in rows), tested="test/error" in tags)
