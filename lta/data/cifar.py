"""CIFAR-10 and CIFAR-100: the official archive, checked, or a marked copy of it as picture files.

Looked for below `root`, and below `root/<name>`, in this order: the unpacked official folder, the official archive, and
the folders `root/<name>/{train,test}/<class>/` in which several mirrors ship it. If none is there, the official archive
is downloaded. What is found first is used or refused: other data never take its place.
"""

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from torchvision import datasets

from lta import checks
from lta.data.archives import (
    TIMEOUT,
    OfficialFile,
    Packed,
    check_members,
    data_root,
    download_file,
    extract,
    find_packed,
    suggest_placing_files,
    unpack,
)
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.contents import VERIFY, digest_files
from lta.data.decoding import open_rgb
from lta.data.errors import DataError
from lta.data.fingerprint import make_ids, make_official_ids
from lta.data.image_cache import read_images
from lta.data.image_folder import parse_image_size
from lta.data.listing import Listing, check_same_classes, list_images
from lta.data.resident import share_images
from lta.data.splits import cut_val, keep_part
from lta.runtime.cache import Cache, cache_folder

log = logging.getLogger(__name__)

SIZE = 32
IMAGES = {"train": 50_000, "test": 10_000}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR(ImageData):
    """`name`: cifar10 or cifar100. `root`: None is $LTA_DATA_ROOT, or `data` below the current directory.

    `image_size`: a number or [height, width], to which pictures are scaled from 32, see `lta.data.scaled`.
    `val_size` images are cut from train, each class in its share; `split_seed` decides which. With 0 there is no val.
    Of the others, `train_size` are trained on, each class in its share; None: all.
    `cache`: see `lta.data.image_cache` and `lta.data.resident`; `verify`, of picture files: `lta.data.contents`.

    After `setup`, `coding` says what was read:
    "official", or "image-folder copy (...)", whose figures can't be compared with published ones.
    """

    name: str

    def __init__(
        self,
        name: str = "cifar10",
        root: str | None = None,
        image_size: int | Sequence[int] = SIZE,
        val_size: int = 5000,
        train_size: int | None = None,
        split_seed: int = 0,
        download: bool = True,
        verify: str = "changed",
        cache: Cache = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        checks.require_flag("data.download", download)
        official = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
        checks.require_choice("data.name", name, official)
        checks.require_choice("data.verify", verify, VERIFY)
        checks.require_whole_number("data.val_size", val_size)
        if train_size is not None:
            checks.require_whole_number("data.train_size", train_size, least=1)
        self.name, self.official = name, official[name]
        self.root, self.size = data_root(root), parse_image_size(image_size)
        self.val_size, self.split_seed, self.download, self.cache = val_size, split_seed, download, cache
        self.verify, self.train_size = verify, train_size

    def prepare_data(self) -> None:
        """On one process a node: what is downloaded, unpacked or decoded here, the others find ready."""
        if not self.is_read:
            if self._find_data() is None and self.download:
                download_file(self._packed_data.archive, self.root, self._describe_missing(), TIMEOUT)
            kind, place = self._find_data() or self._refuse()
            if kind == "archive":
                unpack(self._packed_data, place)
            self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Reads the archive, the unpacked official files or a copy as image files. Raises DataError where there is none."""
        kind, place = self._find_data() or self._refuse()
        if kind == "archive":
            with tempfile.TemporaryDirectory(prefix="lta-") as folder:
                extract(self._packed_data, place, Path(folder))
                class_names, train, test, self.coding = self._read_official(Path(folder))
        elif kind == "folder":
            class_names, train, test, self.coding = self._read_official(place)
        else:
            class_names, train, test, self.coding = _read_image_files(self.name, place, self.cache, self.verify)
        train, test = (part.scale(self.size) for part in (train, test))
        train, val = cut_val(train, self.val_size, self.split_seed)
        return class_names, keep_part(train, self.train_size, self.split_seed), val, test

    def _read_official(self, place: Path) -> tuple[tuple[str, ...], Split, Split, str]:
        folder = place / self.official.base_folder
        try:
            train, test = (self.official(place, train=is_train) for is_train in (True, False))
        except (RuntimeError, OSError) as error:
            meta = (self.official.meta["filename"], self.official.meta["md5"])
            check_members(folder, dict([*self.official.train_list, *self.official.test_list, meta]))
            raise DataError(f"{folder} can't be read: {error}") from error
        cache = cache_folder(self.cache, "data.cache")
        train_split, test_split = (
            # torchvision's array is a transposed view; batches are to be gathered from contiguous images
            Split(
                share_images(np.ascontiguousarray(part.data), self.name, cache),
                np.array(part.targets, np.int64),
                ids=make_official_ids(f"{self.name}/{name}", len(part.targets)),
            )
            for name, part in (("train", train), ("test", test))
        )
        return tuple(train.classes), train_split, test_split, "official"

    @property
    def _packed_data(self) -> Packed:
        archive = OfficialFile(self.official.filename, self.official.url, self.official.tgz_md5)
        return Packed(self.name, archive, self.official.base_folder)

    def _find_data(self) -> tuple[str, Path] | None:
        """What is there ("folder", "archive", "pictures") and the place that holds it."""
        place = self.root / self.name
        has_pictures = (place / "train").is_dir() or (place / "test").is_dir()
        return find_packed(self._packed_data, self.root) or (("pictures", place) if has_pictures else None)

    def _describe_missing(self) -> str:
        folder, archive = self.official.base_folder, self.official.filename
        return f"no {self.name} below {self.root} (neither {folder}/ nor {archive}, nor {self.name}/train/<class>/)"

    def _refuse(self) -> NoReturn:
        why = "" if self.download else ", and data.download=false"
        raise DataError(f"{self._describe_missing()}{why}; {suggest_placing_files(self.root, self._packed_data.archive)}")


def _read_image_files(name: str, place: Path, cache: Cache, verify: str) -> tuple[tuple[str, ...], Split, Split, str]:
    listings = {part: list_images(place, part) for part in IMAGES}
    for part, listing in listings.items():
        _check_classes(name, place / part, listing.class_names)
    class_names = listings["train"].class_names
    check_same_classes(place, class_names, "test", listings["test"].class_names)
    train, test = (_read_listing(place, listing, cache, verify) for listing in listings.values())
    first = place / listings["train"].names[0]
    if (size := open_rgb(first).size) != (SIZE, SIZE):
        raise DataError(f"{first} has {size[0]}x{size[1]} pixels, not {SIZE}x{SIZE}; use data=image_folder for it")
    coding = _describe_coding(listings)
    log.warning("%s: %s", place, coding)
    return class_names, train, test, coding


def _read_listing(place: Path, listing: Listing, cache: Cache, verify: str) -> Split:
    contents = digest_files(place, listing.names, cache_folder(cache, "data.cache"), verify)
    images = read_images(place, listing.names, (SIZE, SIZE), cache, contents=contents).images
    return Split(images, listing.labels, ids=make_ids(listing.names, contents.tokens))


def _check_classes(name: str, folder: Path, classes: tuple[str, ...]) -> None:
    if name == "cifar10" and classes != CIFAR10_CLASSES:
        raise DataError(f"{folder} holds {', '.join(classes)}; its class folders must be {', '.join(CIFAR10_CLASSES)}")
    if name == "cifar100" and len(classes) != 100:
        raise DataError(f"{folder} holds {len(classes)} class folders; CIFAR-100 has 100")


def _describe_coding(listings: dict[str, Listing]) -> str:
    kinds = {os.path.splitext(name)[1].lower().lstrip(".") for listing in listings.values() for name in listing.names}
    kinds = {"jpg" if kind == "jpeg" else kind for kind in kinds}
    coding = f"{'re-encoded files' if kinds & {'jpg', 'webp'} else 'files'}: {', '.join(sorted(kinds))}"
    counts = {part: len(listing.names) for part, listing in listings.items()}
    if counts != IMAGES:
        coding += "; not complete: " + ", ".join(f"{n} of {IMAGES[part]} {part}" for part, n in counts.items())
    lossless = "re-encoded" not in coding and counts == IMAGES
    return f"image-folder copy ({coding})" + ("" if lossless else ", not comparable with published figures")
