"""SVHN: house numbers photographed from the street, cropped to one digit each (format 2), 32x32.

The official files train_32x32.mat, test_32x32.mat and, where it is asked for, extra_32x32.mat (Netzer et al. 2011, "Reading
Digits in Natural Images with Unsupervised Feature Learning"): 73,257, 26,032 and 531,131 images. Neighbouring digits are
part of the pictures. Each file is looked for below `root` and below `root/svhn`, and checked; what is missing is downloaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from torchvision import datasets

from lta import checks
from lta.data.archives import TIMEOUT, OfficialFile, check_file, data_root, download_file, find_path, suggest_placing_files
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.fingerprint import make_official_ids
from lta.data.image_folder import parse_image_size
from lta.data.resident import share_images
from lta.data.splits import cut_val
from lta.runtime.cache import Cache, cache_folder

NAME = "svhn"
CLASSES = tuple("0123456789")
SIZE = 32


class SVHN(ImageData):
    """`root`: None is $LTA_DATA_ROOT, or `data` below the current directory. `extra`: the extra images, which are easier,
    are added to train. `cache`: see `lta.data.resident`. `image_size`: as of CIFAR.

    `val_size` images are cut from train, each class in its share; `split_seed` decides which. With 0 there is no val.
    Files are downloaded to where the others are, or to `root/svhn`; those that came complete stay when a later one fails.
    """

    def __init__(
        self,
        root: str | None = None,
        extra: bool = False,
        image_size: int | Sequence[int] = SIZE,
        val_size: int = 5000,
        split_seed: int = 0,
        download: bool = True,
        cache: Cache = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        checks.require_flag("data.extra", extra)
        checks.require_whole_number("data.val_size", val_size)
        checks.require_whole_number("data.split_seed", split_seed)
        checks.require_flag("data.download", download)
        self.root, self.size, self.cache = data_root(root), parse_image_size(image_size), cache
        self.extra, self.val_size, self.split_seed, self.download = extra, val_size, split_seed, download
        self.coding = "official"

    def prepare_data(self) -> None:
        """On one process a node: what is downloaded here, the others find."""
        if not self.is_read and self.download:
            for file in self._list_missing():
                download_file(file, self._find_place(), self._describe_missing(), TIMEOUT)

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Reads the official files and checks them. Raises DataError where one is missing or differs."""
        if self._list_missing():
            self._refuse()
        found = {part: find_path(self.root, NAME, file.name) for part, file in self._list_files().items()}
        paths = {part: path for part, path in found.items() if path is not None}
        for part, file in self._list_files().items():
            check_file(paths[part], file, "file")
        cache = cache_folder(self.cache, "data.cache")
        test = _read([paths.pop("test")], "test", cache)
        train = _read(list(paths.values()), "train", cache)
        train, test = (part.scale(self.size) for part in (train, test))
        return CLASSES, *cut_val(train, self.val_size, self.split_seed), test

    def _list_files(self) -> dict[str, OfficialFile]:
        parts = ("train", "extra", "test") if self.extra else ("train", "test")
        return {part: OfficialFile(name, url, md5) for part in parts for url, name, md5 in [datasets.SVHN.split_list[part]]}

    def _list_missing(self) -> list[OfficialFile]:
        return [file for file in self._list_files().values() if find_path(self.root, NAME, file.name) is None]

    def _find_place(self) -> Path:
        """Where the files are, or are to be."""
        found = (find_path(self.root, NAME, file.name) for file in self._list_files().values())
        return next((path.parent for path in found if path), self.root / NAME)

    def _describe_missing(self) -> str:
        names = " and ".join(file.name for file in self._list_missing())
        return f"no {NAME} below {self.root} ({names} neither there nor in {NAME}/)"

    def _refuse(self) -> NoReturn:
        why = "" if self.download else ", and data.download=false"
        raise DataError(
            f"{self._describe_missing()}{why}; {suggest_placing_files(self._find_place(), *self._list_missing())}"
        )


def _read(paths: list[Path], part: str, cache: Path | None) -> Split:
    """The images of all `paths`, one after the other: one `part`. Beside them one file's images are in memory at a time."""
    from scipy.io import loadmat  # slow to import, needed by this data set alone

    digits = [loadmat(path, variable_names=["y"])["y"].ravel().astype(np.int64) for path in paths]
    images = np.empty((sum(map(len, digits)), SIZE, SIZE, 3), np.uint8)
    done = 0
    for path, those in zip(paths, digits, strict=True):
        # X is (height, width, channel, image)
        images[done : done + len(those)] = loadmat(path, variable_names=["X"])["X"].transpose(3, 0, 1, 2)
        done += len(those)
    labels = np.concatenate(digits)
    labels[labels == 10] = 0  # MATLAB counts from 1, so the digit 0 comes last
    return Split(share_images(images, NAME, cache), labels, ids=make_official_ids(f"{NAME}/{part}", len(labels)))
