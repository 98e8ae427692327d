"""A data module of one's own against `lta.protocols.Splits`."""

from collections.abc import Callable

import numpy as np
import pytorch_lightning as pl

from lta.data.adapted import adapt
from lta.protocols import Split, Splits
from lta.testing.requirements import require, require_members

PARTS = ("images", "labels", "roles", "sources", "side_labels")
REPEATED = 0.01
"""Share of the test pictures that may be among the training pictures: published data sets have some."""


def check_data(build: Callable[[], Splits]) -> None:
    """`build()` makes a data module, which is read twice; its pictures are in memory twice. A plain LightningDataModule is
    read as a run would read it (`lta.data.adapted`).

    What is checked: shapes, types and ranges of all splits, class names, that test is not in train, and that it is the same
    when it is built and read again.
    """
    made = [build(), build()]
    data, again = (adapt(one, {}) if isinstance(one, pl.LightningDataModule) else one for one in made)
    for one in (data, again):
        require(hasattr(one, "read"), one, "it has no read: derive it from lta.data.base.ImageData")
        one.read()
    require_members(data, Splits)
    names = [str(name) for name in data.class_names]
    require(len(set(names)) == len(names) > 0, data, f"class_names must be different names, but are {names}")
    require(len(data.test.labels) > 0, data, "test is empty")
    splits = {"train": data.train, "val": data.val, "test": data.test}
    repeats = {"train": again.train, "val": again.val, "test": again.test}
    for name, split in splits.items():
        if split is not None:
            _check_split(data, name, split, len(names))
        for part in PARTS:
            first, second = (None if one is None else getattr(one, part) for one in (split, repeats[name]))
            same = np.array_equal(np.asarray(first), np.asarray(second))
            require(same, data, f"{name}.{part} differ when it is built and read again")
        first, second = (getattr(one, "boxes", None) for one in (split, repeats[name]))
        same = first is None or (second is not None and np.array_equal(first, second, equal_nan=True))
        require(same, data, f"{name}.boxes differ when it is built and read again")
    known = {image.tobytes() for image in np.asarray(data.train.images)}
    repeated = sum(image.tobytes() in known for image in np.asarray(data.test.images))
    few = repeated <= REPEATED * len(data.test.labels)
    require(few, data, f"{repeated} of {len(data.test.labels)} pictures of test are in train too")
    require(len(data.watched_splits) > 0, data, "watched_splits is empty: nothing would be looked at after an epoch")


def _check_split(data: Splits, name: str, split: Split, num_classes: int) -> None:
    images, count = split.images, len(split.labels)
    height, width = data.image_size
    shape = (count, height, width, 3)
    fits = tuple(images.shape) == shape and str(images.dtype) == "uint8"
    require(fits, data, f"{name}.images are {images.dtype} {tuple(images.shape)}, not uint8 {shape}")
    if getattr(data, "several_labels", False):
        _check_numbers(data, f"{name}.labels", split.labels, "uint8", (count, num_classes), 0, 1)
    else:
        _check_numbers(data, f"{name}.labels", split.labels, "int64", (count,), 0, num_classes - 1)
    if split.roles is not None:
        _check_numbers(data, f"{name}.roles", split.roles, "uint8", shape[:3], 0, 2)
    if (boxes := getattr(split, "boxes", None)) is not None:
        _check_boxes(data, f"{name}.boxes", boxes, count, (height, width))
    if split.sources is not None:
        _check_numbers(data, f"{name}.sources", split.sources, "int64", (count,))
    if split.side_labels is not None:
        _check_numbers(data, f"{name}.side_labels", split.side_labels, "int64", (count,), -1, num_classes - 1)


def _check_boxes(data: Splits, name: str, boxes: np.ndarray, count: int, size: tuple[int, int]) -> None:
    fits = str(boxes.dtype) == "float32" and boxes.ndim == 3 and len(boxes) == count and boxes.shape[2] == 4
    require(fits, data, f"{name} are {boxes.dtype} {boxes.shape}, not float32 ({count}, most, 4)")
    there = ~np.isnan(boxes).any(2)
    has_one = there.sum(1) > 0
    require(bool(has_one.all()), data, f"{name}: picture {int(np.argmin(has_one))} has none")
    left, top, right, bottom = boxes[there].T
    inside = (left >= 0) & (top >= 0) & (right <= size[1]) & (bottom <= size[0]) & (left < right) & (top < bottom)
    require(
        bool(inside.all()), data, f"{name}: not every row is a box (left, top, right, bottom) in {size[1]}x{size[0]} pixels"
    )


def _check_numbers(
    data: Splits,
    name: str,
    values: np.ndarray,
    kind: str,
    shape: tuple[int, ...],
    low: float = -np.inf,
    high: float = np.inf,
) -> None:
    fits = str(values.dtype) == kind and values.shape == shape
    require(fits, data, f"{name} are {values.dtype} {values.shape}, not {kind} {shape}")
    if values.size:
        least, most = values.min().item(), values.max().item()
        require(low <= least and most <= high, data, f"{name} go from {least} to {most}; allowed is {low:g} to {high:g}")
