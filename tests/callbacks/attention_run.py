"""A tiny real training run for the tests of the attention callbacks; as a script, one with several processes.

python attention_run.py DEVICES DIRECTORY writes DIRECTORY/metrics_<rank>.json and what the callbacks write.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from lta.callbacks.attention_maps import AttentionMaps
from lta.callbacks.telemetry import AttentionTelemetry
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.layers.compatibility import DotProduct
from lta.models.vgg_family import vgg_attention


class TinyData(ImageData):
    """Four classes of noise, each with a bright quarter of its own."""

    def __init__(self, train: int = 16, val: int | None = 7, batch_size: int = 8, eval_batch_size: int = 4):
        super().__init__(batch_size, eval_batch_size)
        self.sizes = train, val

    def load(self):
        rng = np.random.default_rng(0)
        splits = [None if size is None else self.make(rng, size) for size in (*self.sizes, 4)]
        return ("ant", "bee", "cat", "dog"), *splits

    @staticmethod
    def make(rng: np.random.Generator, size: int) -> Split:
        images = rng.integers(0, 128, (size, 32, 32, 3), dtype=np.uint8)
        labels = rng.permutation(np.arange(size) % 4)
        for image, label in zip(images, labels, strict=True):
            image[16 * (label // 2) :, 16 * (label % 2) :][:16, :16] += 100
        return Split(images, labels.astype(np.int64))


class TinyClassifier(pl.LightningModule):
    """The attributes of `Classifier` that the callbacks use. `frozen_norm`: batch statistics play no part, so that
    several processes compute what one does."""

    def __init__(self, network: nn.Module | None = None, frozen_norm: bool = False, learning_rate: float = 0.02):
        super().__init__()
        torch.manual_seed(0)
        levels = ("A", "B", "C")
        self.network = network or vgg_attention(4, levels, DotProduct, width=1 / 32, dropout=0.0 if frozen_norm else 1.0)
        self.frozen_norm = frozen_norm
        self.learning_rate = learning_rate
        self.rows: list[dict[str, float]] = []
        self.random_states: list[torch.Tensor] = []  # at each epoch's end, after all callbacks

    def forward(self, images):
        return self.network((images - 127.5) / 64)

    def on_train_epoch_start(self):
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train(not self.frozen_norm)

    def training_step(self, batch, batch_index):
        # Not at the epoch's start: a data loader's iterator draws a random number too, later than that in all epochs
        # but the first of a run and the first after a resume.
        torch.manual_seed(1000 * self.current_epoch + batch_index)
        images, labels = batch[:2]
        return nn.functional.cross_entropy(self(images).logits, labels)

    def validation_step(self, batch, batch_index):
        return self(batch[0])

    def on_train_epoch_end(self):
        self.random_states.append(torch.get_rng_state())
        self.rows.append({key: value.item() for key, value in self.trainer.callback_metrics.items()})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.learning_rate)


def fit(directory, *callbacks, data=None, module=None, epochs: int = 2, resume=None, **trainer) -> TinyClassifier:
    """Trains on the CPU and returns the module; its `rows` hold what was logged, a row an epoch."""
    module = module or TinyClassifier()
    options = {"logger": False, "enable_checkpointing": False} | trainer
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network gains nothing by more
    try:
        pl.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            callbacks=list(callbacks),
            default_root_dir=directory,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            **options,
        ).fit(module, datamodule=data or TinyData(), ckpt_path=resume)
    finally:
        torch.set_num_threads(threads)
    return module


if __name__ == "__main__":
    devices, directory = int(sys.argv[1]), Path(sys.argv[2])
    written = []
    original = AttentionMaps._publish
    AttentionMaps._publish = lambda *arguments: (written.append(arguments[-1]), original(*arguments))
    module = fit(
        directory,
        AttentionMaps(images=5),
        AttentionTelemetry(grad_every=1),
        module=TinyClassifier(frozen_norm=True),
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
    )
    report = {"rows": module.rows, "written": written}
    (directory / f"metrics_{module.global_rank}.json").write_text(json.dumps(report))
