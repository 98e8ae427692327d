"""TensorBoard files in a run directory."""

from pytorch_lightning.loggers import TensorBoardLogger


def tensorboard_logger(directory: str) -> TensorBoardLogger:
    """Writes event files to `<directory>/tensorboard`; raises ModuleNotFoundError without the extra lta[tensorboard]."""
    return TensorBoardLogger(directory, name="", version="tensorboard", default_hp_metric=False)
