"""image_folder: anybody's own pictures, one folder a class."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.image_cache import EXTENSIONS, read_images
from lta.data.splits import stratified_split
from lta.runtime.cache import Cache

log = logging.getLogger(__name__)

VAL_NAMES = ("val", "valid", "validation")
SPLIT_NAMES = {"train", "test", *VAL_NAMES}


class ImageFolder(ImageData):
    """Pictures below `root`, either `{train,val,test}/<class>/*` or `<class>/*`; classes are numbered by sorted name.

    `val_size`, `test_size`: images as a count, or as a fraction in (0, 1) of what is cut. With `train` and `test`
    folders, `val_size` is cut from train unless there is a `val` (`valid`, `validation`) folder, and `test_size` is not
    used. Otherwise both are cut from the whole. Each class keeps its share; `split_seed` decides which images, and
    changing `val_size` never changes the test set. `image_size`: a number or [height, width]; pictures of other sizes
    are scaled by their shortest side and cut in the centre. `cache`, `on_broken`: see `lta.data.image_cache`.

    Subfolders of a class belong to it. Names that begin with a dot, and files that are no pictures by their extension,
    are ignored.
    """

    def __init__(
        self,
        root: str,
        image_size: int | Sequence[int] = 32,
        val_size: int | float = 0.1,
        test_size: int | float = 0.2,
        split_seed: int = 0,
        cache: Cache = None,
        on_broken: str = "error",
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        self.root = Path(root).expanduser().absolute()
        self.size = parse_image_size(image_size)
        for name, value in (("val_size", val_size), ("test_size", test_size)):
            _check_size(name, value)
        if on_broken not in ("error", "skip"):
            raise ValueError(f"data.on_broken={on_broken} must be one of error, skip")
        self.val_size, self.test_size, self.split_seed = val_size, test_size, split_seed
        self.cache, self.on_broken = cache, on_broken

    def prepare_data(self) -> None:
        """On one process a node: what is decoded here, the others find in the cache."""
        self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        if not self.root.is_dir():
            problem = "is not a folder" if self.root.exists() else "does not exist"
            raise DataError(f"data.root={self.root} {problem}; give the folder that holds train/ and test/, or classes")
        folders = _list_subfolders(self.root)
        if set(folders) & SPLIT_NAMES and (set(folders) <= SPLIT_NAMES or _list_subfolders(self.root / "train")):
            return self._load_split_folders(folders)
        return self._load_one_folder()

    def _load_split_folders(self, folders: list[str]) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        val_folders = [name for name in VAL_NAMES if name in folders]
        if len(val_folders) > 1:
            raise DataError(f"{self.root} holds {' and '.join(val_folders)}, which all mean val; keep one of them")
        for name in ("train", "test"):
            if name not in folders:
                raise DataError(
                    f"{self.root} holds {', '.join(folders)} but no folder {name}: train and test are needed, "
                    "val can be cut from train"
                )
        listings = {name: list_images(self.root, name) for name in ("train", "test", *val_folders)}
        class_names = listings["train"].class_names
        for name, listing in listings.items():
            check_same_classes(self.root, class_names, name, listing.class_names)
        splits = {name: self._read(listing) for name, listing in listings.items()}
        train, val = splits["train"], splits[val_folders[0]] if val_folders else None
        if val is None and self.val_size:
            count = _count("val_size", self.val_size, len(train.labels))
            train, val = self._cut(train, count, "val_size", class_names)
        return class_names, train, val, splits["test"]

    def _load_one_folder(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        listing = list_images(self.root)
        whole = self._read(listing)
        test_count = _count("test_size", self.test_size, len(whole.labels))
        val_count = _count("val_size", self.val_size, len(whole.labels)) if self.val_size else 0
        train, test = self._cut(whole, test_count, "test_size", listing.class_names)
        if not val_count:
            return listing.class_names, train, None, test
        return listing.class_names, *self._cut(train, val_count, "val_size", listing.class_names), test

    def _cut(self, whole: Split, count: int, name: str, class_names: tuple[str, ...]) -> tuple[Split, Split]:
        """(rest, cut out), where every class keeps an image in the rest."""
        too_many = f"data.{name}={getattr(self, name)} cuts {count} of {len(whole.labels)} images"
        if count >= len(whole.labels):
            raise DataError(f"{too_many}: none would be left to train on; make it smaller")
        rest, cut = stratified_split(whole.labels, count, self.split_seed)
        left = np.bincount(whole.labels[rest], minlength=len(class_names))
        if not left.all():
            lost = ", ".join(class_names[label] for label in np.flatnonzero(left == 0))
            raise DataError(f"{too_many}: none would be left to train on of {lost}; make it smaller or add images")
        return whole.view(rest), whole.view(cut)

    def _read(self, listing: "Listing") -> Split:
        images, kept = read_images(self.root, listing.names, self.size, self.cache, self.on_broken)
        labels = listing.labels[kept]
        counts = np.bincount(labels, minlength=len(listing.class_names))
        if not counts.all():
            lost = ", ".join(listing.class_names[label] for label in np.flatnonzero(counts == 0))
            raise DataError(f"{self.root}: no readable picture is left of {lost}; repair the files or remove the class")
        return Split(images, labels)


class Listing(NamedTuple):
    """The pictures of one folder of classes. `names` are paths below the root, in order; `labels` int64 (files,)."""

    class_names: tuple[str, ...]
    names: list[str]
    labels: np.ndarray


def list_images(root: Path, part: str = "") -> Listing:
    """All pictures in `root/part/<class>/`. Raises DataError for fewer than two classes, or one without pictures."""
    folder = root / part
    class_names = _list_subfolders(folder)
    if len(class_names) < 2:
        found = f"only one class, {class_names[0]}" if class_names else "no class folders"
        raise DataError(f"{folder} holds {found}: put the pictures of each of two or more classes into a folder there")
    if {"images", "masks"} <= set(class_names):
        raise DataError(
            f"{folder} holds images/ and masks/, which are no classes: python -m lta.evaluate data=mask_folder takes such a "
            "folder; to train on its pictures, give each class a folder of its own"
        )
    names: list[str] = []
    labels: list[int] = []
    empty, ignored = [], 0
    for label, class_name in enumerate(class_names):
        files = sorted(_visible_files(root, os.path.join(part, class_name)))
        pictures = [file for file in files if os.path.splitext(file)[1].lower() in EXTENSIONS]
        ignored += len(files) - len(pictures)
        names += pictures
        labels += [label] * len(pictures)
        if not pictures:
            empty.append(class_name)
    if empty:
        allowed = " ".join(sorted(EXTENSIONS))
        raise DataError(f"{folder}: no pictures ({allowed}) of {', '.join(empty)}; add some or remove the class folder")
    if ignored:
        log.info("%s: ignoring %d files that are no pictures by their extension", folder, ignored)
    return Listing(tuple(class_names), names, np.array(labels, np.int64))


def _list_subfolders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _visible_files(root: Path, folder: str) -> list[str]:
    """All files in `root/folder` and below, as paths below `root`."""
    found = []
    for place, subfolders, files in os.walk(root / folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = os.path.relpath(place, root)
        found += [f"{below}{os.sep}{name}" for name in files if not name.startswith(".")]
    return found


def check_same_classes(root: Path, train: tuple[str, ...], name: str, other: tuple[str, ...]) -> None:
    """Raises DataError, naming them, where the class folders of `root/train` and `root/name` are not the same."""
    only_train, only_other = sorted(set(train) - set(other)), sorted(set(other) - set(train))
    if only_train or only_other:
        parts = [("train", only_train), (name, only_other)]
        said = "; ".join(f"only in {part}: {', '.join(classes)}" for part, classes in parts if classes)
        raise DataError(f"{root}: the class folders of train and {name} differ ({said}); make them the same")


def parse_image_size(image_size: int | Sequence[int]) -> tuple[int, int]:
    sides = [image_size, image_size] if isinstance(image_size, int) else image_size
    if isinstance(sides, str) or not isinstance(sides, Sequence) or len(sides) != 2:
        raise ValueError(f"data.image_size={image_size} must be a number of pixels or [height, width]")
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise ValueError(f"data.image_size={image_size} must be made of positive whole numbers")
    return sides[0], sides[1]


def _check_size(name: str, value: int | float) -> None:
    lowest = 1 if name == "test_size" else 0
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= lowest
    if not is_count and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError(f"data.{name}={value} must be a count of images, {lowest} or more, or a fraction in (0, 1)")


def _count(name: str, value: int | float, images: int) -> int:
    count = round(value * images) if isinstance(value, float) else value
    if count == 0:
        raise DataError(f"data.{name}={value} comes to none of {images} images; make it larger")
    return count
