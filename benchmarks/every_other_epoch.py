"""A callback that takes others out of a run in every other epoch, and times the epochs."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class EveryOtherEpoch(pl.Callback):
    """The callbacks whose class has one of `names` take part in the epochs 0, 2, 4, ... only.

    `out` gets a JSON of two lists each of "with" and "without" them: seconds of the training steps, and from their end to
    the beginning of the next epoch (validation, pictures, checkpoints, logging). The first two epochs do not count.
    """

    def __init__(self, out: str, names: list[str]):
        super().__init__()
        self.out, self.names = Path(out), names
        self.taken = {way: {"steps": [], "rest": []} for way in ("with", "without")}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.all = list(trainer.callbacks)
        self.few = [callback for callback in self.all if type(callback).__name__ not in self.names]
        assert len(self.all) - len(self.few) == len(self.names)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        now = time.perf_counter()
        if trainer.current_epoch > 2:
            of_last = self.taken["without" if trainer.current_epoch % 2 == 0 else "with"]
            of_last["steps"].append(self.steps_ended - self.begun)
            of_last["rest"].append(now - self.steps_ended)
        # Not the list itself is changed: the Trainer is going through it.
        trainer.callbacks = self.few if trainer.current_epoch % 2 else self.all
        self.begun = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self.steps_ended = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.out.write_text(json.dumps(self.taken))
