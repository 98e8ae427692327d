"""A callback that writes down when a run's steps end, and then stops it."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class TimedSteps(pl.Callback):
    """`out` gets a JSON list: seconds since 1970 at the end of each of the first `steps` training steps, by rank zero."""

    def __init__(self, out: str, steps: int):
        super().__init__()
        self.out, self.steps = Path(out), steps
        self.ends: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self.ends.append(time.time())
        if len(self.ends) == self.steps:
            if trainer.is_global_zero:
                self.out.write_text(json.dumps(self.ends))
            trainer.should_stop = True
