"""A training whose numbers are none any more ends there: what it has learnt until then is kept, and nothing is tested."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

WATCHED = ("train/loss", "val/loss")


class Diverged(ValueError):
    """`what` ("train/loss", "the weights") is no finite number since the epoch `epoch`, from 0."""

    def __init__(self, what: str, epoch: int) -> None:
        super().__init__(f"{what} is not a finite number in epoch {epoch + 1}: the training has diverged")
        self.what, self.epoch = what, epoch


class DivergenceStop(Checkpoint):
    """Raises Diverged, in every process, at the end of an epoch after which a loss or a weight is no finite number.

    Derives from Lightning's `Checkpoint`, whose subclasses keep their order, and stands behind `EpochLog` and before the
    model checkpoints: the epoch's row is written, and the checkpoint is that of the last epoch that was finite. Losses are
    looked at once an epoch, since each look waits for the device.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Raises Diverged if a loss or a weight is not finite."""
        found = trainer.callback_metrics
        for key in WATCHED:
            if key in found and not torch.isfinite(found[key]):
                raise Diverged(key, trainer.current_epoch)
        kept = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
        if kept and not torch.stack([tensor.isfinite().all() for tensor in kept]).all():
            raise Diverged("a weight", trainer.current_epoch)
