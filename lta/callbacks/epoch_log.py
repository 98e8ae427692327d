"""One row of metrics an epoch, in metrics.csv; EpochSend sends the same rows to the loggers."""

import csv
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from lta.runtime.files import write_text


class EpochLog(Checkpoint):
    """Keeps `rows`, one an epoch with `epoch` (0-based), and writes them to `<default_root_dir>/metrics.csv`, on rank zero.

    Derives from Lightning's `Checkpoint`, whose subclasses run after all other hooks of an epoch's end and before the
    model checkpoints that follow them in the list: everything that was logged in the epoch is in the row, and a row is
    written before the checkpoint that continues after it. The rows are part of the checkpoint, so that after a resume no
    epoch stands in the file twice. `time/seconds` counts the training so far, without the pauses between resumed
    parts; `lr` is that of the epoch's last step (`lr/muon`: of what Muon trains). `tested` is
    the row of the test set, without `epoch`.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.tested: dict[str, float] = {}
        self.before: dict[str, Tensor] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.monotonic() - (self.rows[-1]["time/seconds"] if self.rows else 0.0)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.before = dict(trainer.callback_metrics)

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int) -> None:
        groups = trainer.optimizers[0].param_groups
        self.rates = {"lr": groups[0]["lr"]}  # at the epoch's end the schedule is a step further
        for group in groups:
            if group.get("orthogonal"):
                self.rates["lr/muon"] = group["lr"]

    def on_test_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.before = dict(trainer.callback_metrics)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Adds the epoch's row to `rows`."""
        loader = trainer.train_dataloader
        assert loader is not None
        images = trainer.num_training_batches * loader.sampler.batch_size
        row = {
            **self._select_new_metrics(trainer),
            **self.rates,
            "time/seconds": time.monotonic() - self.started,
            "time/images": float(images * (trainer.current_epoch + 1)),
        }
        self.rows.append({"epoch": float(trainer.current_epoch), **row})
        if trainer.is_global_zero:
            save_rows(Path(trainer.default_root_dir) / "metrics.csv", self.rows)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.tested = self._select_new_metrics(trainer)

    def _select_new_metrics(self, trainer: pl.Trainer) -> dict[str, float]:
        """What was logged since the epoch began: Lightning keeps the values of earlier ones, as the same tensors."""
        return {key: float(value) for key, value in trainer.callback_metrics.items() if self.before.get(key) is not value}


def save_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes a CSV whole or not at all; columns in order of first appearance, empty where a row has no value."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({k: int(v) if k == "epoch" else f"{v:.6g}" for k, v in row.items()})
    write_text(path, text.getvalue())
