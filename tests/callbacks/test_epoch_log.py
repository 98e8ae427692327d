"""Rows of metrics: one an epoch, nothing stale, nothing twice after a resume."""

import csv
from copy import deepcopy
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch

from lta.callbacks.epoch_log import EpochLog, save_rows
from lta.data.batches import EpochBatches
from lta.runtime.console import format_duration

MODULE = Mock(spec=pl.LightningModule)


def made_trainer(tmp_path, epoch, metrics):
    sampler = Mock(spec=EpochBatches, batch_size=10)
    return Mock(
        spec=pl.Trainer,
        default_root_dir=str(tmp_path),
        current_epoch=epoch,
        num_training_batches=5,  # of those that there are, as many as trainer.limit_train_batches leaves
        callback_metrics=metrics,
        is_global_zero=True,
        train_dataloader=SimpleNamespace(sampler=sampler),
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.25}])],
    )


def read(tmp_path):
    with (tmp_path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def epoch(log, trainer, metrics, logged):
    log.on_train_epoch_start(trainer, MODULE)
    log.on_train_batch_start(trainer, MODULE, None, 0)
    metrics.update({key: torch.tensor(value) for key, value in logged.items()})
    log.on_train_epoch_end(trainer, MODULE)


def test_values_of_earlier_epochs_are_not_repeated(tmp_path):
    log, metrics = EpochLog(), {}
    log.on_train_start(made_trainer(tmp_path, 0, metrics), MODULE)
    for number in range(3):
        logged = {"train/loss": 1.0} | ({"val/error": 50.0} if number != 1 else {})
        epoch(log, made_trainer(tmp_path, number, metrics), metrics, logged)
    assert [row["val/error"] for row in read(tmp_path)] == ["50", "", "50"]
    assert [row["train/loss"] for row in read(tmp_path)] == ["1", "1", "1"]
    assert [row["time/images"] for row in read(tmp_path)] == ["50", "100", "150"]
    assert [row["epoch"] for row in log.rows] == [0, 1, 2]
    assert "val/error" not in log.rows[1]


def test_the_row_of_the_test_set_is_apart(tmp_path):
    log, metrics = EpochLog(), {}
    log.on_train_start(made_trainer(tmp_path, 0, metrics), MODULE)
    epoch(log, made_trainer(tmp_path, 0, metrics), metrics, {"val/error": 50.0})
    assert log.tested == {}
    log.on_test_start(made_trainer(tmp_path, 1, metrics), MODULE)
    metrics["test/error"] = torch.tensor(40.0)
    log.on_test_end(made_trainer(tmp_path, 1, metrics), MODULE)
    assert log.tested == {"test/error": 40}
    assert len(log.rows) == 1


def test_after_a_resume_no_epoch_stands_there_twice(tmp_path):
    before, metrics = EpochLog(), {}
    before.on_train_start(made_trainer(tmp_path, 0, metrics), MODULE)
    for number in range(2):
        epoch(before, made_trainer(tmp_path, number, metrics), metrics, {"val/error": 90.0 - number})
    saved = deepcopy(before.state_dict())
    saved["rows"][-1]["time/seconds"] = 1000.0
    epoch(before, made_trainer(tmp_path, 2, metrics), metrics, {"val/error": 7.0})  # lost: after the checkpoint
    after = EpochLog()
    after.load_state_dict(saved)
    after.on_train_start(made_trainer(tmp_path, 2, metrics), MODULE)
    epoch(after, made_trainer(tmp_path, 2, metrics), metrics, {"val/error": 1.0})
    rows = read(tmp_path)
    assert [(row["epoch"], row["val/error"]) for row in rows] == [("0", "90"), ("1", "89"), ("2", "1")]
    assert float(rows[-1]["time/seconds"]) >= 1000.0, "the time before the pause counts"


def test_a_diverged_run_shows_it(tmp_path):
    save_rows(tmp_path / "metrics.csv", [{"epoch": 0.0, "train/loss": float("nan")}])
    assert read(tmp_path) == [{"epoch": "0", "train/loss": "nan"}]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.34, "8.3 s"),
        (200, "3 min 20 s"),
        (18_600, "5 h 10 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_for_people(seconds, text):
    assert format_duration(seconds) == text


def test_the_rate_of_muon_has_a_column_of_its_own(tmp_path):
    log, trainer = EpochLog(), made_trainer(tmp_path, 0, {})
    trainer.optimizers[0].param_groups.append({"lr": 0.75, "orthogonal": True})
    log.on_train_start(trainer, MODULE)
    epoch(log, trainer, {}, {})
    (row,) = read(tmp_path)
    assert (float(row["lr"]), float(row["lr/muon"])) == (0.25, 0.75)
