"""Where a run's rows, pictures and answers go: Weights & Biases, TensorBoard; the only part that knows wandb."""

from lta.loggers.logged import LoggedRows
from lta.loggers.run_logger import RunLogger
from lta.loggers.session import Session, open_session
from lta.loggers.tensorboard import tensorboard_logger
from lta.loggers.wandb_run import wandb_logger

__all__ = ["LoggedRows", "RunLogger", "Session", "open_session", "tensorboard_logger", "wandb_logger"]
