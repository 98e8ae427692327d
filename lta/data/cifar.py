"""CIFAR-10 and CIFAR-100: the official archive, checked, or a marked copy of it as picture files.

Looked for below `root`, and below `root/<name>`, in this order: the unpacked official folder, the official archive, and
the folders `root/<name>/{train,test}/<class>/` in which several mirrors ship it. If none is there, the official archive
is downloaded. What is found first is used or refused: other data never take its place.
"""

import logging
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn

import numpy as np
from torchvision import datasets
from torchvision.datasets.utils import check_integrity, download_url

from lta import checks
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.image_cache import Cache, open_rgb, read_images
from lta.data.image_folder import Listing, check_same_classes, list_images
from lta.data.splits import stratified_split

log = logging.getLogger(__name__)

SIZE = 32
IMAGES = {"train": 50_000, "test": 10_000}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TIMEOUT = 20
"""Seconds a download waits for an answer; urllib alone would wait for ever behind a firewall."""


class CIFAR(ImageData):
    """`name`: cifar10 or cifar100. `root`: None is $LTA_DATA_ROOT, or `data` below the current directory.

    `val_size` images are cut from train, each class in its share; `split_seed` decides which. With 0 there is no val.
    `cache`: see `lta.data.image_cache`, used for picture files only. After `setup`, `coding` says what was read:
    "official", or "image-folder copy (...)", whose figures can't be compared with published ones.
    """

    def __init__(
        self, name: str = "cifar10", root: str | None = None, val_size: int = 5000, split_seed: int = 0,
        download: bool = True, cache: Cache = None,
        batch_size: int = 128, eval_batch_size: int = 500, seed: int = 0,
    ):  # fmt: skip
        super().__init__(batch_size, eval_batch_size, seed)
        checks.flag("data.download", download)
        official = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
        checks.choice("data.name", name, official)
        checks.whole("data.val_size", val_size)
        self.name, self.official = name, official[name]
        self.root = Path(root or os.environ.get("LTA_DATA_ROOT") or "data").expanduser().absolute()
        self.val_size, self.split_seed, self.download, self.cache = val_size, split_seed, download, cache
        self.coding: str | None = None

    def prepare_data(self) -> None:
        """On one process a node: what is downloaded, unpacked or decoded here, the others find ready."""
        if self.train is None:
            if self._find() is None and self.download:
                _download(self.official, self.root, self._missing())
            kind, place = self._find() or self._refuse()
            if kind == "archive":
                _unpack(self.official, place)
            self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        kind, place = self._find() or self._refuse()
        if kind == "archive":
            with _unpacked_for_now(self.official, place) as folder:
                class_names, train, test, self.coding = _read_official(self.official, folder)
        elif kind == "official":
            class_names, train, test, self.coding = _read_official(self.official, place)
        else:
            class_names, train, test, self.coding = _read_pictures(self.name, place, self.cache)
        if not self.val_size:
            return class_names, train, None, test
        kept, held_out = stratified_split(train.labels, self.val_size, self.split_seed)
        return class_names, train.take(kept), train.take(held_out), test

    def _find(self) -> tuple[str, Path] | None:
        """What is there ("official", "archive", "pictures") and the folder that holds it."""
        for kind, name in (("official", self.official.base_folder), ("archive", self.official.filename)):
            for place in (self.root, self.root / self.name):
                if (place / name).exists():
                    return kind, place
        place = self.root / self.name
        return ("pictures", place) if (place / "train").is_dir() or (place / "test").is_dir() else None

    def _missing(self) -> str:
        folder, archive = self.official.base_folder, self.official.filename
        return f"no {self.name} below {self.root} (neither {folder}/ nor {archive}, nor {self.name}/train/<class>/)"

    def _refuse(self) -> NoReturn:
        why = "" if self.download else ", and data.download=false"
        raise DataError(f"{self._missing()}{why}; {_ways_on(self.official, self.root)}")


def _ways_on(official: type[datasets.CIFAR10], root: Path) -> str:
    return f"put {official.url} at {root / official.filename}, or give data.root= or LTA_DATA_ROOT the folder it is in"


def _download(official: type[datasets.CIFAR10], root: Path, missing: str) -> None:
    """The checked archive into `root`; the name appears only once it is complete."""
    had_root = root.exists()
    log.info("%s: downloading %s", missing, official.url)
    timeout = socket.getdefaulttimeout()
    try:
        with _scratch(root) as folder:
            socket.setdefaulttimeout(TIMEOUT)  # torchvision's download takes none
            download_url(official.url, folder, official.filename, official.tgz_md5)
            (folder / official.filename).replace(root / official.filename)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the checksum
        if not had_root:
            with suppress(OSError):
                root.rmdir()
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise DataError(
            f"{missing}, and the download failed ({type(error).__name__}: {reason}); {_ways_on(official, root)}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)


def _unpack(official: type[datasets.CIFAR10], place: Path) -> None:
    """The folder out of the archive beside it. A place that can't be written is left as it is, with a line."""
    try:
        with _scratch(place) as folder:
            _extract(official, place, folder)
            (folder / official.base_folder).replace(place / official.base_folder)
    except OSError as error:
        if not (place / official.base_folder).exists():  # else another process was quicker
            log.warning("%s can't be unpacked there (%s): unpacking at each start", place / official.filename, error)


@contextmanager
def _unpacked_for_now(official: type[datasets.CIFAR10], place: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lta-") as folder:
        _extract(official, place, Path(folder))
        yield Path(folder)


def _extract(official: type[datasets.CIFAR10], place: Path, folder: Path) -> None:
    archive = place / official.filename
    if not _is_intact(archive, official.tgz_md5):
        raise DataError(
            f"{archive} is damaged or not the official archive (its MD5 is not {official.tgz_md5}); "
            f"delete it to have it downloaded again, or replace it by {official.url}"
        )
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A hidden folder in `root` (same file system, so that a finished thing can be renamed), removed at the end."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".part-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_official(official: type[datasets.CIFAR10], place: Path) -> tuple[tuple[str, ...], Split, Split, str]:
    folder = place / official.base_folder
    try:
        train, test = (official(place, train=is_train) for is_train in (True, False))
    except (RuntimeError, OSError) as error:
        meta = (official.meta["filename"], official.meta["md5"])
        for name, md5 in [*official.train_list, *official.test_list, meta]:
            if not _is_intact(folder / name, md5):
                problem = "does not have the official checksum" if (folder / name).is_file() else "is missing"
                raise DataError(
                    f"{folder / name} {problem}; delete {folder} to have it unpacked or downloaded again"
                ) from error
        raise DataError(f"{folder} can't be read: {error}") from error
    train_split, test_split = (
        # torchvision's array is a transposed view; batches are to be gathered from contiguous images
        Split(np.ascontiguousarray(part.data), np.array(part.targets, np.int64))
        for part in (train, test)
    )
    return tuple(train.classes), train_split, test_split, "official"


def _is_intact(file: Path, md5: str) -> bool:
    with suppress(OSError):
        return check_integrity(file, md5)
    return False


def _read_pictures(name: str, place: Path, cache: Cache) -> tuple[tuple[str, ...], Split, Split, str]:
    listings = {part: list_images(place, part) for part in IMAGES}
    for part, listing in listings.items():
        _check_classes(name, place / part, listing.class_names)
    class_names = listings["train"].class_names
    check_same_classes(place, class_names, "test", listings["test"].class_names)
    train, test = (
        Split(read_images(place, listing.names, (SIZE, SIZE), cache).images, listing.labels) for listing in listings.values()
    )
    first = place / listings["train"].names[0]
    if (size := open_rgb(first).size) != (SIZE, SIZE):
        raise DataError(f"{first} has {size[0]}x{size[1]} pixels, not {SIZE}x{SIZE}; use data=image_folder for it")
    coding = _coding(listings)
    log.warning("%s: %s", place, coding)
    return class_names, train, test, coding


def _check_classes(name: str, folder: Path, classes: tuple[str, ...]) -> None:
    if name == "cifar10" and classes != CIFAR10_CLASSES:
        raise DataError(f"{folder} holds {', '.join(classes)}; its class folders must be {', '.join(CIFAR10_CLASSES)}")
    if name == "cifar100" and len(classes) != 100:
        raise DataError(f"{folder} holds {len(classes)} class folders; CIFAR-100 has 100")


def _coding(listings: dict[str, Listing]) -> str:
    kinds = {os.path.splitext(name)[1].lower().lstrip(".") for listing in listings.values() for name in listing.names}
    kinds = {"jpg" if kind == "jpeg" else kind for kind in kinds}
    coding = f"{'re-encoded files' if kinds & {'jpg', 'webp'} else 'files'}: {', '.join(sorted(kinds))}"
    counts = {part: len(listing.names) for part, listing in listings.items()}
    if counts != IMAGES:
        coding += "; not complete: " + ", ".join(f"{n} of {IMAGES[part]} {part}" for part, n in counts.items())
    lossless = "re-encoded" not in coding and counts == IMAGES
    return f"image-folder copy ({coding})" + ("" if lossless else ", not comparable with published figures")
