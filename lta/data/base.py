"""What all data modules share: three splits in memory, whole batches out."""

import logging
import math
from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lta import checks
from lta.data.batches import DeviceDataset, EpochBatches, PlacesDataset, SameBatches, Split, batch_loader
from lta.data.imbalance import add_counts, warn_of_imbalance
from lta.data.scaled import Scaled
from lta.data.splits import balanced_choice
from lta.runtime.cache import make_machine_lock

log = logging.getLogger(__name__)

NAMED = 12
"""Classes that are named in full."""

LARGEST_ON_GPU = 1 << 30
"""Bytes of the pictures of a split that are kept on the GPU; those of CIFAR and SVHN are fewer."""

SAMPLE = 1000
"""Training images whose maps are looked at where there is no validation set."""


class ImageData(pl.LightningDataModule, ABC):
    """Subclasses implement `load`. After `setup`, `train`, `val`, `test` are `Split`s and `class_names` is known.

    `batch_size` counts the images of a step over all processes. `eval_batch_size` is used for validation and test.
    `seed` decides the order of the training images; with `balanced` each epoch has as many of each class. `coding` says
    what files of a published data set were read: "official", or what stands for them; None where there is no such thing.

    After each epoch of training the splits in `watched` are evaluated, in their order. The first is the one whose maps
    are looked at: val, or `train_sample` where there is none. With `test_each_epoch` (the authors' habit) the test set
    follows, under that name: to be looked at, never to select on.

    Loaders of the splits in `without_pictures` give labels and positions alone, for whoever knows what is in the pictures.
    """

    train: Split
    val: Split | None
    test: Split

    def __init__(self, batch_size: int = 128, eval_batch_size: int = 500, seed: int = 0, balanced: bool = False):
        super().__init__()
        checks.require_flag("data.balanced", balanced)
        checks.require_whole_number("data.batch_size", batch_size, least=1)
        checks.require_whole_number("data.eval_batch_size", eval_batch_size, least=1)
        self.batch_size, self.eval_batch_size, self.seed, self.balanced = batch_size, eval_batch_size, seed, balanced
        self._on_device: dict[str, DeviceDataset] = {}
        self.class_names: tuple[str, ...] = ()
        self.coding: str | None = None
        self.test_each_epoch = False
        self.without_pictures: frozenset[str] = frozenset()

    @property
    def several_labels(self) -> bool:
        """Whether pictures have several labels, or none, in the place of one class; known before they are read."""
        return False

    @property
    def is_read(self) -> bool:
        """Whether the splits are there."""
        return hasattr(self, "train")

    @abstractmethod
    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Class names, then train, val (None where `val_size` is 0) and test. Called once a process."""

    def setup(self, stage: str | None = None) -> None:
        """Reads the pictures once, whatever `stage` is."""
        if not self.is_read:
            self.class_names, self.train, self.val, self.test = self.load()

    def read(self) -> None:
        """What is downloaded or decoded once a machine is done by the first of its processes; others, which torchrun or srun
        may have started too, wait and find it done."""
        with make_machine_lock(type(self).__name__):
            self.prepare_data()
        self.setup()

    def make_ready(self) -> None:
        """All that can be wrong with the data shows here."""
        self.read()
        for loader in (self.train_dataloader, self.val_dataloader, self.test_dataloader):
            loader()
        log.info("data: %s", self.describe())
        if said := warn_of_imbalance(self.train.labels, self.class_names):
            log.warning("data: %s", said)

    def describe(self) -> str:
        """Classes, with their training pictures where they are few and not alike, pictures of each split, their size and
        coding, in one line."""
        names = self.class_names
        if self.is_read and len(names) <= NAMED:
            names = add_counts(self.train.labels, names)
        named = ", ".join(names if len(names) <= NAMED else (*names[: NAMED - 2], "...", names[-1]))
        splits = {"training": self.train, "validation": self.val, "test": self.test}
        counts = ", ".join(f"{0 if split is None else len(split.labels):,} {name}" for name, split in splits.items())
        height, width = self.image_size
        coding = f"; {self.coding}" if self.coding else ""
        kind = "labels, several a picture" if self.several_labels else "classes"
        return f"{len(names)} {kind} ({named}); {counts} images of {width} x {height}{coding}"

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width)"""
        height, width = self.train.images.shape[1:3]
        return height, width

    def train_dataloader(self) -> DataLoader:
        """Shuffled anew in each epoch, in batches of `batch_size` images of all processes together."""
        return self._make_loader("train", self.train, self.batch_size, shuffle=True)

    @property
    def watched_splits(self) -> dict[str, Split]:
        """By name: "val", or "train_sample" without one, then "test_each_epoch" where that is asked for."""
        first = {"train_sample": self._train_sample} if self.val is None else {"val": self.val}
        return first | ({"test_each_epoch": self.test} if self.test_each_epoch else {})

    def choose_examples(self, count: int) -> tuple[Split, np.ndarray]:
        """The first watched split and `count` positions in it: always the same images, evenly many of each class."""
        split = next(iter(self.watched_splits.values()))
        return split, balanced_choice(split.labels, count)

    @cached_property
    def _train_sample(self) -> Split:
        return self.train.take(balanced_choice(self.train.labels, SAMPLE))

    def val_dataloader(self) -> list[DataLoader]:
        """One loader for each split that is watched during training: validation, and with `test_each_epoch` the test
        images."""
        return [
            self._make_loader(name, split, self.eval_batch_size, shuffle=False)
            for name, split in self.watched_splits.items()
        ]

    def test_dataloader(self) -> DataLoader:
        """Each test image once, in order."""
        return self._make_loader("test", self.test, self.eval_batch_size, shuffle=False)

    def _make_loader(self, name: str, split: Split, batch_size: int, shuffle: bool) -> DataLoader:
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if not shuffle:
            batch_size = -(-batch_size // world_size) * world_size
        elif batch_size < 2 * world_size:
            raise ValueError(f"data.batch_size={batch_size} must be at least {2 * world_size}: batch norm needs two images")
        if len(split.labels) < world_size:
            images = f"{len(split.labels)} image{'s' * (len(split.labels) != 1)}"
            raise ValueError(
                f"{name} has {images} for {world_size} processes, and each needs at least one: use fewer trainer.devices"
            )
        balanced = split.labels if shuffle and self.balanced else None
        batches = EpochBatches(len(split.labels), batch_size, shuffle, self.seed, rank, world_size, balanced)
        overfits = self.trainer is not None and self.trainer.overfit_batches > 0  # pyright: ignore[reportAttributeAccessIssue] set when it is made
        order = SameBatches(batches) if overfits else batches
        if name in self.without_pictures:
            return batch_loader(PlacesDataset(split), order, pin_memory=self._is_on_gpu())
        if (device := self._choose_device(split)) is not None:
            return batch_loader(self._move(name, split, device), order)
        return batch_loader(split, order, pin_memory=self._is_on_gpu())

    def _choose_device(self, split: Split) -> torch.device | None:
        """The GPU that trains, where the pictures may lie on it: then only their numbers are sent in a step."""
        if self.trainer is None or not self._is_on_gpu() or isinstance(split.images, Scaled):
            return None
        device = self.trainer.strategy.root_device
        free, _ = torch.cuda.mem_get_info(device)
        return device if math.prod(split.images.shape) <= min(LARGEST_ON_GPU, free / 10) else None

    def _move(self, name: str, split: Split, device: torch.device) -> DeviceDataset:
        """Once: loaders are made again, to be looked at and to be used."""
        if name not in self._on_device:
            self._on_device[name] = DeviceDataset(split, device)
        return self._on_device[name]

    def _is_on_gpu(self) -> bool:
        """Pinned memory makes a CUDA context: not where the trainer stays on the CPU."""
        if self.trainer is None:
            return torch.cuda.is_available()
        return self.trainer.strategy.root_device.type == "cuda"
