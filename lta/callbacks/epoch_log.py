"""One row of metrics an epoch: in metrics.csv and, the same row, in every logger."""

import csv
import math
import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor


class EpochLog(Checkpoint):
    """Writes `<default_root_dir>/metrics.csv` and logs the row with `epoch` (0-based) to all loggers, on rank zero.

    Derives from Lightning's `Checkpoint`, whose subclasses run after all other hooks of an epoch's end and before the
    model checkpoints that follow them in the list: everything that was logged in the epoch is in the row, and a row is
    written before the checkpoint that continues after it. After a resume the rows of epochs that are trained again are
    dropped from the file. `time/seconds` counts the training so far, without the pauses between resumed parts.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.seconds_before = 0.0
        self.logged: dict[str, Tensor] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.monotonic()
        path = self._path(trainer)
        if path.is_file():
            with path.open(newline="") as file:
                read = [{k: float(v) for k, v in row.items() if v not in ("", None)} for row in csv.DictReader(file)]
            self.rows = [row for row in read if row["epoch"] < trainer.current_epoch]
            self.seconds_before = max((row.get("time/seconds", 0.0) for row in self.rows), default=0.0)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        sampler = trainer.train_dataloader.sampler
        row = {
            **self._fresh(trainer),
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "time/seconds": self.seconds_before + time.monotonic() - self.started,
            "time/images": float(len(sampler) * sampler.batch_size * (trainer.current_epoch + 1)),
        }
        if trainer.is_global_zero:
            self.rows.append({"epoch": float(trainer.current_epoch), **row})
            save_rows(self._path(trainer), self.rows)
        self._send(trainer, row, trainer.current_epoch)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._send(trainer, self._fresh(trainer), trainer.current_epoch - 1)

    def _fresh(self, trainer: pl.Trainer) -> dict[str, float]:
        """What was logged since the last row. Lightning keeps the values of earlier epochs; those are the same tensors."""
        metrics = dict(trainer.callback_metrics)
        fresh = {key: float(value) for key, value in metrics.items() if self.logged.get(key) is not value}
        self.logged = metrics
        return fresh

    def _send(self, trainer: pl.Trainer, metrics: dict[str, float], epoch: int) -> None:
        for logger in trainer.loggers:
            # W&B numbers rows itself and draws over `epoch`; other loggers take the epoch as their step.
            if hasattr(logger.experiment, "define_metric"):
                logger.log_metrics({**metrics, "epoch": epoch})
            else:
                logger.log_metrics(metrics, step=epoch)

    def _path(self, trainer: pl.Trainer) -> Path:
        return Path(trainer.default_root_dir) / "metrics.csv"


def save_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes a CSV whole or not at all; columns in order of first appearance, empty where a row has no value."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({k: int(v) if k == "epoch" else "" if math.isnan(v) else f"{v:.6g}" for k, v in row.items()})
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
