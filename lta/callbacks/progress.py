"""What a person sees while a run trains: a bar on a terminal, a line an epoch elsewhere, the duration either way."""

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, TQDMProgressBar

from lta.runtime.console import format_duration

log = logging.getLogger(__name__)

WARM_UP, MEASURED = 5, 15
"""Steps left out (first steps pay for allocations and kernel choices), then steps measured."""

SHOWN = ("train/loss", "train/error", "val/error", "val/mAP", "test_each_epoch/error")


class EpochBar(TQDMProgressBar):
    """One bar an epoch, refreshed a few times a second at most; silent where the output is no terminal."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=5 if sys.stdout.isatty() else 0)


class EpochLines(Checkpoint):
    """Says after the first steps how long the training will take, and one line after each epoch.

    Derives from Lightning's `Checkpoint`, whose subclasses run last at an epoch's end: all its metrics are known then.
    """

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.batches = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.epoch_started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self.batches += 1
        if self.batches == WARM_UP:
            self.measured_since, self.steps_before = time.monotonic(), trainer.global_step
        elif self.batches == WARM_UP + MEASURED and trainer.is_global_zero:
            taken, steps = time.monotonic() - self.measured_since, trainer.global_step - self.steps_before
            left = int(trainer.estimated_stepping_batches) - trainer.global_step
            if steps and left:
                each = taken / steps
                log.info("time left: about %s (%d steps of %.0f ms)", format_duration(each * left), left, 1000 * each)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            metrics = trainer.callback_metrics
            shown = [f"{key} {float(metrics[key]):.3g}" for key in SHOWN if key in metrics]
            took = format_duration(time.monotonic() - self.epoch_started)
            log.info("epoch %d/%d: %s  (%s)", trainer.current_epoch + 1, trainer.max_epochs, "  ".join(shown), took)
