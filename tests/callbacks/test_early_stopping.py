"""When a training ends early, and that it does so too after it was interrupted."""

from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lta.callbacks.checkpoints import RunCheckpoint, choose_mode
from lta.callbacks.early_stopping import EarlyStop


class Logged(pl.LightningModule):
    """Logs these values of val/error, or of another key, one an epoch."""

    def __init__(self, values, key="val/error"):
        super().__init__()
        self.values, self.key, self.trained = values, key, []
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.recipe = SimpleNamespace(why_not_longer=lambda: "WarmupCosine makes the rate from the number of epochs")

    def training_step(self, batch, index):
        self.trained.append(self.current_epoch)
        return self.weight.sum()

    def validation_step(self, batch, index):
        self.log(self.key, self.values[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class OneItem(pl.LightningDataModule):
    val = object()

    def train_dataloader(self):
        return DataLoader([0.0])

    val_dataloader = train_dataloader


def fit(tmp_path, module, stop, resumed=None, val=True):
    data = OneItem()
    data.val = object() if val else None
    trainer = pl.Trainer(
        max_epochs=9,
        accelerator="cpu",
        default_root_dir=str(tmp_path),
        callbacks=[stop, RunCheckpoint("last")],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, datamodule=data, ckpt_path=resumed, weights_only=False)
    return trainer


VALUES = [5.0, 4.0, 4.0, 3.9, 4.0, 4.0, 3.0, 2.0, 1.0]


def test_it_ends_after_so_many_epochs_without_a_better_value(tmp_path, caplog):
    caplog.set_level("INFO")
    module, stop = Logged(VALUES), EarlyStop(patience=2)
    trainer = fit(tmp_path, module, stop)
    assert module.trained == [0, 1, 2, 3, 4, 5]
    assert stop.has_stopped
    said = stop.describe(trainer.current_epoch, trainer.max_epochs)
    assert (
        said == "early stopping ended the training after 6 of 9 epochs: val/error had its best value, 3.9, 2 epochs earlier"
    )
    assert said in caplog.text
    assert (
        "makes the rate from the number of epochs: if the training ends early, the learning rate is still above its last"
        in caplog.text
    )
    again, stop = Logged(VALUES), EarlyStop(patience=2)
    fit(tmp_path, again, stop, resumed=tmp_path / "checkpoints/last.ckpt")
    assert again.trained == [], "a run that was killed before its test trains no further"
    assert stop.has_stopped


def test_a_run_that_was_interrupted_ends_where_it_would_have(tmp_path):
    class Killed(RuntimeError):
        pass

    class Kill(Logged):
        def on_train_epoch_start(self):
            if self.current_epoch == 5:
                raise Killed

    with pytest.raises(Killed):
        fit(tmp_path, Kill(VALUES), EarlyStop(patience=2))
    module = Logged(VALUES)
    fit(tmp_path, module, EarlyStop(patience=2), resumed=tmp_path / "checkpoints/last.ckpt")
    assert module.trained == [5]


def test_by_how_much_and_in_which_direction(tmp_path):
    module = Logged(VALUES)
    fit(tmp_path, module, EarlyStop(patience=2, min_delta=0.5))
    assert module.trained == [0, 1, 2, 3], "3.9 is not better than 4 by 0.5"
    rising = Logged([0.1, 0.2, 0.3, 0.2, 0.1, 0.0, 0.9, 0.9, 0.9], "val/mAP")
    fit(tmp_path, rising, EarlyStop("val/mAP", patience=3))
    assert rising.trained == [0, 1, 2, 3, 4, 5]
    assert [choose_mode(key) for key in ("val/error", "val/loss", "val/auroc_dog", "train/mine")] == [
        "min",
        "min",
        "max",
        "min",
    ]


def test_what_can_not_be(tmp_path):
    with pytest.raises(
        ValueError, match=r"callbacks\.early_stopping\.monitor=test_each_epoch/error: the test set can.t decide"
    ):
        EarlyStop("test_each_epoch/error")
    with pytest.raises(ValueError, match=r"callbacks\.early_stopping\.patience=0 must be a whole number, at least 1"):
        EarlyStop(patience=0)
    with pytest.raises(ValueError, match=r"monitor=val/error needs a validation set: data\.val_size is 0"):
        fit(tmp_path, Logged(VALUES), EarlyStop(), val=False)
    with pytest.raises(ValueError, match=r"monitor=val/eror is not logged; choose from .*val/error"):
        fit(tmp_path, Logged(VALUES), EarlyStop("val/eror"))
