"""Where a run's rows, pictures and answers go: Weights & Biases, TensorBoard; the only part that knows wandb."""

from importlib import import_module
from typing import Any

__all__ = ["LoggedRows", "RunLogger", "Session", "open_session", "tensorboard_logger", "wandb_logger"]

MODULES = {
    "LoggedRows": "logged",
    "RunLogger": "run_logger",
    "Session": "session",
    "open_session": "session",
    "tensorboard_logger": "tensorboard",
    "wandb_logger": "wandb_run",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # Imported when asked for: the dashboard's command reads a module of this package, and needs no torch.
    if name in MODULES:
        return getattr(import_module(f"lta.loggers.{MODULES[name]}"), name)
    raise AttributeError(f"module 'lta.loggers' has no attribute {name!r}")
