"""What all data modules share: three splits in memory, whole batches out."""

from abc import ABC, abstractmethod

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lta import checks
from lta.data.batches import EpochBatches, Split, batch_loader


class ImageData(pl.LightningDataModule, ABC):
    """Subclasses implement `load`. After `setup`, `train`, `val`, `test` are `Split`s and `class_names` is known.

    `batch_size` counts the images of a step over all processes. `eval_batch_size` is used for validation and test.
    `seed` decides the order of the training images (and, where there is one, the cut of the validation set).
    """

    def __init__(self, batch_size: int = 128, eval_batch_size: int = 500, seed: int = 0):
        super().__init__()
        checks.whole("data.batch_size", batch_size, least=1)
        checks.whole("data.eval_batch_size", eval_batch_size, least=1)
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self.class_names: tuple[str, ...] = ()
        self.train: Split | None = None
        self.val: Split | None = None
        self.test: Split | None = None

    @abstractmethod
    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Class names, then train, val (None where `val_size` is 0) and test. Called once a process."""

    def setup(self, stage: str | None = None) -> None:
        if self.train is None:
            self.class_names, self.train, self.val, self.test = self.load()

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width)"""
        return tuple(self.train.images.shape[1:3])

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader | list:
        return [] if self.val is None else self._loader(self.val, self.eval_batch_size, shuffle=False)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test, self.eval_batch_size, shuffle=False)

    def _loader(self, split: Split, batch_size: int, shuffle: bool) -> DataLoader:
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if not shuffle:
            batch_size = -(-batch_size // world_size) * world_size
        batches = EpochBatches(len(split.labels), batch_size, shuffle, self.seed, rank, world_size)
        return batch_loader(split, batches, pin_memory=torch.cuda.is_available())
