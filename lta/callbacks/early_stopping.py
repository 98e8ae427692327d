"""A training that has not become better for some epochs ends there."""

import logging
import re
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor

from lta import checks
from lta.callbacks.checkpoints import choose_mode
from lta.callbacks.telemetry import check_is_measured
from lta.protocols import get_splits

log = logging.getLogger(__name__)

KEY = "callbacks.early_stopping"


class EarlyStop(EarlyStopping):
    """Lightning's: ends the training after `patience` epochs in which `monitor` was not better than its best value by more
    than `min_delta`. What is better is what `RunCheckpoint` takes for it.

    What it has counted is in each checkpoint, so that a run that was interrupted ends where it would have. A run that ended
    so and is gone on with trains no further. Raises ValueError without a validation set, for a value of the test set, and
    for one that nothing logs.
    """

    def __init__(self, monitor: str = "val/error", patience: int = 10, min_delta: float = 0.0):
        if not isinstance(monitor, str) or re.match("test", monitor):
            raise ValueError(
                f"{KEY}.monitor={monitor}: the test set can't decide when to stop; give a value such as val/error"
            )
        checks.require_whole_number(f"{KEY}.patience", patience, least=1)
        checks.require_number(f"{KEY}.min_delta", min_delta, 0, 1e9)
        super().__init__(monitor, float(min_delta), patience, mode=choose_mode(monitor), check_on_train_epoch_end=True)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Raises ValueError where there is no validation set to watch."""
        if stage == "fit":
            if self.monitor.startswith("val/") and get_splits(trainer).val is None:
                raise ValueError(f"{KEY}.monitor={self.monitor} needs a validation set: data.val_size is 0")
            check_is_measured(f"{KEY}.monitor", self.monitor, trainer, pl_module)
            recipe: Any = getattr(pl_module, "recipe", None)
            if recipe is not None and (why := recipe.why_not_longer()):
                log.info(
                    "callbacks=early_stopping: %s: if the training ends early, the learning rate is still above its last "
                    "value (schedule=author does not depend on the number of epochs)",
                    why,
                )
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_stopped:  # before the run was interrupted
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.has_stopped and trainer.is_global_zero:
            log.info("%s", self.describe(trainer.current_epoch, trainer.max_epochs))

    @property
    def has_stopped(self) -> bool:
        """Whether it has waited long enough."""
        return self.wait_count >= self.patience

    def describe(self, epochs: int, of: int | None) -> str:
        """That it has ended the training after `epochs`, in words."""
        best = float(self.best_score)
        said = f"{self.monitor} had its best value, {best:.4g}, {self.wait_count} epochs earlier"
        return f"early stopping ended the training after {epochs} of {of} epochs: {said}"

    def _validate_condition_metric(self, logs: dict[str, Tensor]) -> bool:
        if self.monitor not in logs:
            raise ValueError(f"{KEY}.monitor={self.monitor} is not logged; choose from {', '.join(sorted(logs))}")
        return True
