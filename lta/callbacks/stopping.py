"""How a training ends that was asked to by a signal: all its processes at the same step, with nothing half-done."""

import time
from typing import Any

import pytorch_lightning as pl
import torch

from lta.runtime.ranks import is_started_by_lightning
from lta.runtime.signals import Stopped, signals

EVERY = 1.0
"""Seconds between two looks at what the other processes have received."""


class Stopping(pl.Callback):
    """Raises Stopped in every process of a run after the training step at which one of them was found to be signalled.

    One process looks after each of its batches. Several agree about once a second: at steps that all of them compute
    from the slowest one's time, so that no other step waits for a device or for another process.
    """

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        # Lightning's handlers would take the place of those of `lta.runtime.signals`.
        trainer._signal_connector.register_signal_handlers = lambda: None
        # Lightning (2.6) sends rank 0's flag to all at each step and waits for the answer.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        signals.deferred = True
        self._steps, self._next, self._since = 0, 1, time.monotonic()
        self._check_signals(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self._steps += 1
        if trainer.world_size == 1 or self._steps == self._next:
            self._check_signals(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        if trainer.world_size == 1:  # else processes may have unequally many batches
            self._check_signals(trainer)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._check_signals(trainer)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._check_signals(trainer)
        signals.deferred = False

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        signals.deferred = False  # nobody looks any more

    def _check_signals(self, trainer: pl.Trainer) -> None:
        received = signals.received or 0
        if trainer.world_size > 1:
            now = time.monotonic()
            each = (now - self._since) / max(self._steps, 1)
            mine = torch.tensor([received, each], dtype=torch.float32, device=trainer.strategy.root_device)
            received, each = trainer.strategy.reduce(mine, reduce_op="max").tolist()
            # Before the first step nothing is known of its time.
            following = max(1, int(EVERY / max(each, 1e-4))) if self._steps else 1
            self._steps, self._next, self._since = 0, following, now
        if received:
            self._stop(int(received))

    def _stop(self, number: int) -> None:
        stopped = Stopped(number)
        if is_started_by_lightning():
            stopped.code = 0  # the first process tells; a failure here would make Lightning kill it before it can
        raise stopped
