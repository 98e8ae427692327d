"""Rows of metrics: one an epoch, nothing stale, nothing twice after a resume."""

import csv
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch

from lta.callbacks.epoch_log import EpochLog, save_rows
from lta.callbacks.progress import duration
from lta.data.batches import EpochBatches

MODULE = Mock(spec=pl.LightningModule)


class Logger:
    def __init__(self):
        self.experiment = object()
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows.append((step, metrics))


def made_trainer(tmp_path, epoch, metrics, logger):
    sampler = Mock(spec=EpochBatches, batch_size=10)
    sampler.__len__ = lambda self: 5
    return Mock(
        spec=pl.Trainer,
        default_root_dir=str(tmp_path),
        current_epoch=epoch,
        callback_metrics=metrics,
        loggers=[logger],
        is_global_zero=True,
        train_dataloader=SimpleNamespace(sampler=sampler),
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.25}])],
    )


def read(tmp_path):
    with (tmp_path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_values_of_earlier_epochs_are_not_repeated(tmp_path):
    log, logger, metrics = EpochLog(), Logger(), {}
    for epoch in range(3):
        trainer = made_trainer(tmp_path, epoch, metrics, logger)
        if epoch == 0:
            log.on_train_start(trainer, MODULE)
        metrics["train/loss"] = torch.tensor(1.0)  # the same number again is logged again
        if epoch != 1:
            metrics["val/error"] = torch.tensor(50.0)
        log.on_train_epoch_end(trainer, MODULE)
    assert [row["val/error"] for row in read(tmp_path)] == ["50", "", "50"]
    assert [row["train/loss"] for row in read(tmp_path)] == ["1", "1", "1"]
    assert [row["time/images"] for row in read(tmp_path)] == ["50", "100", "150"]
    assert [step for step, _ in logger.rows] == [0, 1, 2]
    assert "val/error" not in logger.rows[1][1]


def test_after_a_resume_no_epoch_stands_there_twice(tmp_path):
    rows = [{"epoch": float(e), "val/error": 90.0 - e, "time/seconds": 10.0 * e} for e in range(4)]
    save_rows(tmp_path / "metrics.csv", rows)
    log = EpochLog()
    trainer = made_trainer(tmp_path, 2, {"val/error": torch.tensor(1.0)}, Logger())
    log.on_train_start(trainer, MODULE)
    log.on_train_epoch_end(trainer, MODULE)
    rows = read(tmp_path)
    assert [(row["epoch"], row["val/error"]) for row in rows] == [("0", "90"), ("1", "89"), ("2", "1")]
    assert float(rows[-1]["time/seconds"]) >= 10.0, "the time before the pause counts"


@pytest.mark.parametrize(("seconds", "text"), [
    (8.34, "8.3 s"), (200, "3 min 20 s"), (18_600, "5 h 10 min"), (273_600, "3 d 4 h"),
])  # fmt: skip
def test_durations_for_people(seconds, text):
    assert duration(seconds) == text
