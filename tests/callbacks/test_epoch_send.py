"""Rows and panels reach every logger once, after the checkpoint that holds them, also over a resume."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch
import yaml
from attention_run import fit
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import DummyLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lta.callbacks.attention_maps import AttentionMaps
from lta.callbacks.epoch_log import EpochLog
from lta.callbacks.epoch_send import EpochSend
from lta.cli.plugins import CONF
from lta.loggers.logged import LoggedRows
from lta.loggers.run_logger import RunLogger


class Memory(DummyLogger):
    """A logger of nobody's that notes what it gets, and which checkpoint was the last then."""

    def __init__(self, checkpoint=None):
        super().__init__()
        self.checkpoint, self.rows = checkpoint, []

    def log_metrics(self, metrics, step=None):
        saved = torch.load(self.checkpoint, weights_only=False)["callbacks"]["EpochLog"]["rows"] if self.checkpoint else []
        self.rows.append((step, metrics, [row["epoch"] for row in saved]))


class Run(RunLogger):
    """W&B's logger that has `held`, and keeps what it gets."""

    def __init__(self, directory, held=()):
        super().__init__(directory, "lta")
        self.has, self.sent = held, []

    @property
    def experiment(self):
        return SimpleNamespace()

    def read_logged_rows(self):
        return None if self.has is None else LoggedRows(frozenset(self.has), tested=False)

    def log_metrics(self, metrics, step=None):
        self.sent.append(metrics)


def trained(directory, logger, epochs=3, resume=None, **options):
    save = ModelCheckpoint(directory, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    callbacks = [AttentionMaps(images=2), EpochLog(), save, EpochSend()]
    loggers = logger if isinstance(logger, list) else [logger]
    fit(
        directory,
        *callbacks,
        epochs=epochs,
        logger=loggers,
        enable_checkpointing=True,
        resume=resume,
        log_every_n_steps=1,
        **options,
    )


def test_in_the_configuration_rows_are_recorded_then_saved_then_sent():
    order = list(yaml.safe_load((CONF / "callbacks" / "default.yaml").read_text()))
    assert order[-5:] == ["epoch_log", "divergence", "best_checkpoint", "last_checkpoint", "epoch_send"]


def test_a_row_is_sent_when_the_checkpoint_that_holds_it_is_written(tmp_path):
    logger = Memory(tmp_path / "last.ckpt")
    save = ModelCheckpoint(tmp_path, "last", enable_version_counter=False, save_on_train_epoch_end=True)
    callbacks = [EpochSend(), save, EpochLog()][::-1]
    fit(tmp_path, *callbacks, epochs=3, logger=[logger], enable_checkpointing=True, log_every_n_steps=1)
    assert [(step, saved) for step, _, saved in logger.rows] == [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])]
    assert all("epoch" not in metrics and "time/seconds" in metrics for _, metrics, _ in logger.rows)


def test_a_resumed_run_sends_what_w_and_b_lacks_with_the_sheet_on_disk(tmp_path):
    trained(tmp_path, Memory(), epochs=2)
    logger = Run(tmp_path, held=[0])
    trained(tmp_path, logger, resume=tmp_path / "epoch=1.ckpt")
    assert [metrics["epoch"] for metrics in logger.sent] == [1, 2]
    assert [len(metrics["attention/panel"]) for metrics in logger.sent] == [1, 2]
    assert logger.sent[0]["attention/panel"][0]._caption == "after 2 epochs"


def test_the_last_row_too_when_there_is_no_epoch_left_to_train(tmp_path):
    trained(tmp_path, Memory(), epochs=2)
    logger = Run(tmp_path, held=[0])
    trained(tmp_path, logger, epochs=2, resume=tmp_path / "epoch=1.ckpt")
    assert [metrics["epoch"] for metrics in logger.sent] == [1]


def test_where_nobody_can_tell_nothing_is_sent_twice(tmp_path):
    trained(tmp_path, Memory(), epochs=2)
    unreadable, other = Run(tmp_path, held=None), Memory()
    trained(tmp_path, [unreadable, other], resume=tmp_path / "epoch=1.ckpt")
    assert [metrics["epoch"] for metrics in unreadable.sent] == [2]
    assert [step for step, _, _ in other.rows] == [2]


def test_tensorboard_has_every_epoch_once_over_a_resume(tmp_path):
    def board():
        return TensorBoardLogger(tmp_path, name="", version="board")

    class Killed(pl.Callback):
        """Before the first callback of the epoch's end, so that the epoch is neither saved nor sent."""

        def on_validation_epoch_end(self, trainer, module):
            if trainer.current_epoch == 2:
                raise KeyError("killed")

    trained(tmp_path, board(), epochs=1)  # sent and saved
    save = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    lost = [AttentionMaps(images=2), EpochLog(), save, Killed()]  # the second epoch is saved and not sent
    with pytest.raises(KeyError):
        fit(
            tmp_path,
            *lost,
            epochs=4,
            logger=[board()],
            enable_checkpointing=True,
            resume=tmp_path / "epoch=0.ckpt",
            log_every_n_steps=1,
        )
    trained(tmp_path, board(), epochs=4, resume=tmp_path / "epoch=1.ckpt")
    events = EventAccumulator(str(tmp_path / "board"), size_guidance={"scalars": 0, "images": 0}).Reload()
    assert [event.step for event in events.Scalars("time/seconds")] == [0, 1, 2, 3]
    assert [event.step for event in events.Images("attention/panel")] == [0, 1, 2, 3]


def test_the_row_of_the_test_stands_at_the_last_epoch():
    rows, logger = EpochLog(), Memory()
    rows.rows, rows.tested = [{"epoch": float(epoch)} for epoch in range(3)], {"test/error": 5.0}
    trainer = Mock(spec=pl.Trainer, is_global_zero=True, loggers=[logger], callbacks=[rows], current_epoch=3)
    EpochSend().on_test_end(trainer, Mock(spec=pl.LightningModule))
    assert logger.rows == [(2, {"test/error": 5.0}, [])]


def test_without_rows_there_is_nothing_to_send(tmp_path):
    options = {"epochs": 1, "enable_checkpointing": True, "log_every_n_steps": 1}
    with pytest.raises(ValueError, match=r"callbacks\.epoch_send has nothing to send with callbacks\.epoch_log=null"):
        fit(tmp_path, EpochSend(), logger=[Memory()], **options)
    fit(tmp_path, EpochSend(), logger=False, **options)  # nothing is asked for
