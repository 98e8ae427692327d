"""CUB-200-2011: photographs of 200 species of birds, cut to the bird's bounding box.

The official archive (Wah et al. 2011, "The Caltech-UCSD Birds-200-2011 Dataset"), looked for below `root` and below
`root/cub200`: the unpacked folder CUB_200_2011/, then CUB_200_2011.tgz. If neither is there, the archive (1.1 GB) is
downloaded. Train and test are those of train_test_split.txt. The archive is checked by its MD5; an unpacked folder, whose
files have none, by the number of images and classes that its lists name.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.archives import OfficialFile, Packed, check_members, data_root, open_unpacked, provide, suggest_fix
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.contents import VERIFY, Contents, digest_files
from lta.data.errors import DataError
from lta.data.fingerprint import make_ids
from lta.data.image_cache import read_images
from lta.data.splits import cut_val
from lta.runtime.cache import Cache, cache_folder

URL = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
PACKED = Packed("cub200", OfficialFile("CUB_200_2011.tgz", URL, "97eceeb196236b17998738112f37df78"), "CUB_200_2011")
CLASSES = 200
IMAGES = {"train": 5_994, "test": 5_794}

NUMBER = r"-?\d+(?:\.\d*)?"
LISTS = {
    "classes.txt": ("CLASS_ID NUMBER.NAME", r"\d+\.(\S+)"),
    "images.txt": ("IMAGE_ID PATH", r"(\S.*)"),
    "image_class_labels.txt": ("IMAGE_ID CLASS_ID", r"(\d+)"),
    "train_test_split.txt": ("IMAGE_ID 1 (train) or 0 (test)", r"([01])"),
    "bounding_boxes.txt": ("IMAGE_ID X Y WIDTH HEIGHT", rf"({NUMBER} {NUMBER} {NUMBER} {NUMBER})"),
}
"""The official lists: what a line must be, in words, and what follows its id, as a pattern with one group."""

WHOLE = (0.0, 0.0, np.inf, np.inf)
CROPS = ("bounding_box", "none")


class CUB200(ImageData):
    """`root`: None is $LTA_DATA_ROOT, or `data` below the current directory.

    `crop`: "bounding_box" takes the official box, as far as it lies in the picture; "none" the whole picture. Either is
    then scaled to `image_size` x `image_size` pixels, its proportions not kept (antialiased bicubic). How the authors of
    the paper cropped is not in their repository: published figures may rest on other crops. Pictures are decoded once and
    kept in `cache`, see `lta.data.image_cache`.

    `val_size` images are cut from train, each class in its share; `split_seed` decides which. With 0 there is no val.
    """

    def __init__(
        self,
        root: str | None = None,
        image_size: int = 80,
        crop: str = "bounding_box",
        val_size: int = 600,
        split_seed: int = 0,
        download: bool = True,
        verify: str = "changed",
        cache: Cache = None,
        batch_size: int = 128,
        eval_batch_size: int = 128,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        checks.require_whole_number("data.image_size", image_size, least=1)
        checks.require_choice("data.crop", crop, CROPS)
        checks.require_whole_number("data.val_size", val_size)
        checks.require_whole_number("data.split_seed", split_seed)
        checks.require_flag("data.download", download)
        cache_folder(cache, "data.cache")  # refuses what is none, before a gigabyte is downloaded
        self.root, self.size, self.crop = data_root(root), image_size, crop
        checks.require_choice("data.verify", verify, VERIFY)
        self.val_size, self.split_seed, self.download, self.cache = val_size, split_seed, download, cache
        self.verify = verify
        self.coding = "official"

    def prepare_data(self) -> None:
        """On one process a node: what is downloaded, unpacked or decoded here, the others find ready."""
        if not self.is_read:
            provide(PACKED, self.root, self.download)
            self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Reads the official lists, and the birds cut out and scaled. Raises DataError where files are missing or differ."""
        with open_unpacked(PACKED, self.root, self.download) as folder:
            lists = _read_lists(folder)
            boxes = lists["bounding_boxes.txt"].values() if self.crop == "bounding_box" else None
            names = [f"images/{name}" for name in lists["images.txt"].values()]
            contents = digest_files(folder, names, cache_folder(self.cache, "data.cache"), self.verify)
            images = _read_cropped_images(folder, names, boxes, self.size, self.cache, contents)
        class_names = tuple(lists["classes.txt"].values())
        numbers = {class_id: number for number, class_id in enumerate(lists["classes.txt"])}
        labels = np.array([numbers[int(label)] for label in lists["image_class_labels.txt"].values()], np.int64)
        is_train = np.array([part == "1" for part in lists["train_test_split.txt"].values()])
        whole = Split(images, labels, ids=make_ids(names, contents.tokens))
        train, test = (whole.view(np.flatnonzero(part)) for part in (is_train, ~is_train))
        return class_names, *cut_val(train, self.val_size, self.split_seed), test


def _read_cropped_images(
    folder: Path, names: Sequence[str], boxes: Collection[str] | None, size: int, cache: Cache, contents: Contents
) -> np.ndarray:
    cut = [WHOLE] * len(names) if boxes is None else [box.split() for box in boxes]
    ways_on = f"repair them, or {suggest_fix(folder)}"
    return read_images(
        folder, names, (size, size), cache, boxes=np.array(cut, np.float64), ways_on=ways_on, contents=contents
    ).images


def _read_lists(folder: Path) -> dict[str, dict[int, str]]:
    """The values of each list by id, the ids in order. Raises DataError for what does not fit, in itself or together."""
    check_members(folder, dict.fromkeys(LISTS))
    if not (folder / "images").is_dir():
        raise DataError(f"{folder / 'images'} is missing; {suggest_fix(folder)}")
    lists = {name: _read_list(folder / name, *form) for name, form in LISTS.items()}
    classes, images, labels, parts = (lists[name] for name in list(LISTS)[:4])
    for name, values in lists.items():
        if name != "classes.txt" and (odd := sorted(values.keys() ^ images.keys())):
            raise DataError(
                f"{folder}: images.txt lists {len(images)} images and {name} {len(values)}; only one of them lists "
                f"{_join_first(odd)}; {suggest_fix(folder)}"
            )
    if odd := sorted({int(label) for label in labels.values()} ^ classes.keys()):
        raise DataError(
            f"{folder}: only one of classes.txt and image_class_labels.txt has the classes "
            f"{_join_first(odd)}; {suggest_fix(folder)}"
        )
    train = sum(part == "1" for part in parts.values())
    found = {"classes": len(classes), "training images": train, "test images": len(parts) - train}
    official = {"classes": CLASSES, "training images": IMAGES["train"], "test images": IMAGES["test"]}
    for what, number in official.items():
        if found[what] != number:
            raise DataError(f"{folder} lists {found[what]} {what}; the official one lists {number}; {suggest_fix(folder)}")
    return lists


def _read_list(file: Path, form: str, pattern: str) -> dict[int, str]:
    values: dict[int, str] = {}
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        match = re.fullmatch(rf"(\d+) {pattern}", line.strip())
        if not match:
            raise DataError(f"{file}, line {number}: {line[:80]!r} is not {form}; {suggest_fix(file.parent)}")
        if (key := int(match[1])) in values:
            raise DataError(f"{file}, line {number}: an earlier line has {key} too; {suggest_fix(file.parent)}")
        values[key] = match[2]
    return dict(sorted(values.items()))


def _join_first(odd: list[int]) -> str:
    return ", ".join(map(str, odd[:5])) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
