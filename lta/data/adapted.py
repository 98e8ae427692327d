"""A plain LightningDataModule of somebody's own as an `ImageData`: read once, whole, into memory."""

import random
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import UInt8
from PIL import Image
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.decoding import to_upright_rgb
from lta.data.errors import DataError
from lta.data.fingerprint import make_content_ids

WHOLE = (SequentialSampler, RandomSampler, DistributedSampler)
"""Samplers that draw every item of the data set once; any other is a choice of items, which would be lost."""

TWICE = 32
"""Training items that are read twice, to see whether they are the same."""

HOOKS = ("on_before_batch_transfer", "on_after_batch_transfer", "transfer_batch_to_device")
"""What a data module does to batches that only Lightning's own loop asks for."""


def adapt(module: Any, settings: Mapping[str, Any], seed: int = 0) -> ImageData:
    """`module` itself where it is an `ImageData`; a LightningDataModule's splits, to be read by `setup`.

    `settings`: those that it was made with. `batch_size` is that of lta's batches too. `seed` decides the
    order of its training images. Raises DataError for anything else, and where a module takes no settings.
    """
    if isinstance(module, ImageData):
        return module
    if isinstance(module, pl.LightningDataModule):
        given = [f"data.{name}" for name in settings if not name.startswith("_")]
        by_class = str(settings.get("_target_")).endswith(f".{_name(module)}")  # and not by a function, which may take them
        if given and by_class and type(module).__init__ is pl.LightningDataModule.__init__:  # that takes whatever there is
            raise DataError(f"{', '.join(given)}: {_name(module)} has no __init__, and would ignore it")
        return AdaptedModule(module, settings.get("batch_size"), seed)
    raise DataError(f"data._target_ makes a {_name(module)}: it must be a LightningDataModule, or lta's own ImageData")


class AdaptedModule(ImageData):
    """The splits of `module`: what the data sets of its train, val and test dataloaders hold, val only where there is one.

    Items are pairs (image, label). Images are PIL images, uint8 arrays (H, W, C), uint8 tensors (C, H, W), or floats from 0
    to 1 of these shapes, which are rounded to 255 steps; C is 1 or 3. All have one size. Labels are whole numbers from 0.
    Class names are `class_names` or `classes` of the module, or of its training data set. Batches have `batch_size`
    images (None: as many as those of the module's loader), counted over all processes.

    Every process holds all splits as uint8, 3 bytes a pixel (3 kB for a picture of 32x32, 150 kB for one of 224x224), twice
    that while a split is read. What `setup` draws at random (a validation set) is drawn from one seed, always the same.

    Raises DataError, in one line, for what is missing or can't be taken: also for training images that are other ones when
    read again (augmentation is lta's, `augment=`), and for loaders that leave items out or change batches.
    """

    def __init__(self, module: pl.LightningDataModule, batch_size: int | None = None, seed: int = 0):
        super().__init__(1 if batch_size is None else batch_size, seed=seed)
        self.module, self._name, self._asked = module, _name(module), batch_size

    def prepare_data(self) -> None:
        if not self.is_read:
            self.module.prepare_data()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Calls the module's `setup`, reads each item once and checks it. Random numbers are the same in each process.
        Raises DataError for what lta can't use."""
        if changed := [hook for hook in HOOKS if _is_given(self.module, hook)]:
            raise self._error(f"{changed[0]} of its own, which lta does not call: let the data set do it")
        with isolate_rng(include_cuda=False):
            torch.default_generator.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002  the module may use the old one
            random.seed(0)
            for stage in ("fit", "test"):
                self.module.setup(stage)
            found = {name: self._find_loader(name) for name in ("train", "val", "test")}
            loaders = {name: loader for name, loader in found.items() if loader is not None}
            if missing := [name for name in ("train", "test") if name not in loaders]:
                raise self._error(f"no {missing[0]} split: it has no {missing[0]}_dataloader")
            names = self._find_class_names(loaders["train"].dataset)
            splits = {name: self._read(name, loader.dataset, len(names)) for name, loader in loaders.items()}
            self._check_plain(loaders["train"].dataset, splits["train"])
        sizes = {name: split.images.shape[1:3] for name, split in splits.items()}
        if other := next((name for name, size in sizes.items() if size != sizes["train"]), None):
            raise self._error(
                f"images of {_size(sizes['train'])} in train and {_size(sizes[other])} in {other}: all must have one size"
            )
        self.batch_size = loaders["train"].batch_size if self._asked is None else self._asked
        self.eval_batch_size = loaders["test"].batch_size
        return names, splits["train"], splits.get("val"), splits["test"]

    def _find_loader(self, split: str) -> DataLoader | None:
        if not _is_given(self.module, f"{split}_dataloader"):
            return None
        loader = getattr(self.module, f"{split}_dataloader")()
        if isinstance(loader, Sequence):
            if len(loader) > 1:
                raise self._error(f"{len(loader)} loaders from {split}_dataloader: lta takes one")
            loader = loader[0] if loader else None
        if loader is None:
            return None
        if not isinstance(loader, DataLoader):
            raise self._error(f"a {_name(loader)} from {split}_dataloader, and lta reads a torch DataLoader's data set")
        drawing = [] if isinstance(loader.dataset, IterableDataset) else [loader.sampler, loader.batch_sampler]
        odd = [_name(one) for one in drawing if one is not None and type(one) not in (*WHOLE, BatchSampler)]
        odd += ["replacement=True"] if getattr(loader.sampler, "replacement", False) else []
        if odd:
            raise self._error(
                f"a {split}_dataloader that chooses among its items ({odd[0]}): lta reads all, so use a Subset"
            )
        if loader.batch_size is None:
            raise self._error(f"no batch_size in its {split}_dataloader: lta makes batches itself, of single items")
        if loader.collate_fn is not default_collate:
            raise self._error(f"a collate_fn of its own in its {split}_dataloader, which lta does not call")
        return loader

    def _find_class_names(self, dataset: Dataset) -> tuple[str, ...]:
        places: list[object] = [self.module, dataset]
        while (inside := getattr(places[-1], "dataset", None)) is not None:  # Subset and the like have a data set inside
            places.append(inside)
        found = (getattr(place, name, None) for place in places for name in ("class_names", "classes"))
        names = next((names for names in found if names is not None), None)
        if names is None:
            raise self._error("no class names: give it `class_names`, a list (or `classes`, as its data set may have)")
        listed = isinstance(names, Sequence) and not isinstance(names, str)
        if not listed or not len(names) == len(set(map(str, names))) >= 2:
            raise self._error(f"class names that are not two or more different ones in a list: {str(names)[:60]}")
        return tuple(map(str, names))

    def _read(self, split: str, dataset: Dataset, classes: int) -> Split:
        images, labels = [], []
        for number, item in enumerate(_items(dataset)):
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                raise self._error(f"no pairs (image, label): item {number} of {split} is a {_describe(item)}")
            images.append(self._to_array(item[0], f"image {number} of {split}"))
            labels.append(self._to_label(item[1], f"label {number} of {split}", classes))
            if images[-1].shape != images[0].shape:
                sizes = f"{_size(images[0].shape)} and {_size(images[-1].shape)}"
                raise self._error(f"images of several sizes ({sizes}, image {number} of {split}): scale them to one size")
        if not images:
            raise self._error(f"no images in {split}")
        pixels = np.stack(images)
        return Split(pixels, np.array(labels, np.int64), ids=make_content_ids(pixels))

    def _check_plain(self, dataset: Dataset, train: Split) -> None:
        again = (self._to_array(item[0], "image") for _, item in zip(range(TWICE), _items(dataset), strict=False))
        if any(not np.array_equal(image, train.images[number]) for number, image in enumerate(again)):
            raise self._error("training images that change when read again: leave random changes to augment=")

    def _to_array(self, image: Any, which: str) -> UInt8[np.ndarray, "height width 3"]:
        if isinstance(image, Image.Image):
            return np.array(to_upright_rgb(image))
        if isinstance(image, Tensor):
            plain = image.detach().cpu()
            pixels = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()  # which numpy does not know
            pixels = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels
        elif isinstance(image, np.ndarray):
            pixels = image[..., None] if image.ndim == 2 else image
        else:
            raise self._error(f"no pictures: {which} is a {_describe(image)}; lta takes PIL images, arrays and tensors")
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise self._error(
                f"no pictures: {which} has the shape {tuple(image.shape)}; tensors are (C, H, W), arrays (H, W, C)"
            )
        if np.issubdtype(pixels.dtype, np.floating):
            low, high = pixels.min(), pixels.max()
            if not (low >= 0 and high <= 1):  # NaN is neither
                found = f"images from {low:.3g} to {high:.3g} ({which})"
                raise self._error(f"{found}: floats must be from 0 to 1, and lta normalises by preprocess=")
            pixels = np.rint(pixels.astype(np.float64) * 255).astype(np.uint8)
        if pixels.dtype != np.uint8:
            raise self._error(f"images of {pixels.dtype} ({which}): lta takes uint8, or floats from 0 to 1")
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))

    def _to_label(self, label: Any, which: str, classes: int) -> int:
        single = isinstance(label, (Tensor, np.ndarray, np.generic)) and np.prod(label.shape) == 1
        value = label.item() if single else label
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._error(f"labels that are not whole numbers: {which} is a {_describe(label)}")
        if not 0 <= value < classes:
            raise self._error(f"labels out of range: {which} is {value}, and there are {classes} class names")
        return value

    def _error(self, problem: str) -> DataError:
        return DataError(f"data: {self._name} has {problem}")


def _items(dataset: Dataset) -> Iterator[Any]:
    """In their order. Python's own loop over a data set without `__iter__` would go on until it raises IndexError."""
    if isinstance(dataset, IterableDataset):
        return iter(dataset)
    return (dataset[number] for number in range(len(cast(Sized, dataset))))


def _is_given(module: pl.LightningDataModule, name: str) -> bool:
    """Whether it is the module's own, also where it was set on the object, as `from_datasets` does."""
    method = getattr(module, name)
    return getattr(method, "__func__", method) is not getattr(pl.LightningDataModule, name)


def _name(thing: object) -> str:
    return type(thing).__name__


def _describe(thing: Any) -> str:
    shape = getattr(thing, "shape", None)
    return _name(thing) if shape is None else f"{_name(thing)} of the shape {tuple(shape)} and {thing.dtype}"


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]}"
