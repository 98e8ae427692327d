"""Which checkpoints are kept."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

from lta.callbacks.checkpoints import RunCheckpoint


@pytest.mark.parametrize(
    ("monitor", "val", "kept"),
    [("val/error", None, 0), ("val/error", object(), 1), ("train/loss", None, 1), (None, None, 1)],
)
def test_without_a_validation_set_only_its_own_values_choose_nothing(tmp_path, monitor, val, kept):
    trainer = Mock(spec=pl.Trainer, default_root_dir=str(tmp_path), datamodule=SimpleNamespace(val=val), fast_dev_run=False)
    trainer.strategy.broadcast = lambda value, *_: value
    callback = RunCheckpoint("best", monitor)
    callback.setup(trainer, Mock(spec=pl.LightningModule), "fit")
    assert callback.save_top_k == kept
