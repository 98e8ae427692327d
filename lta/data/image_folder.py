"""image_folder: anybody's own pictures, one folder a class."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.contents import VERIFY, digest_files
from lta.data.cut import ALL, HOW, Cut
from lta.data.errors import DataError
from lta.data.fingerprint import make_ids
from lta.data.folder_masks import Mask, find_mask_folder, match_masks, read_known_masks
from lta.data.image_cache import read_images
from lta.data.label_sets import has_several, list_empty
from lta.data.label_table import SEPARATOR, LabelledFolder, check_separator, read_label_table
from lta.data.listing import Listing, check_same_classes, list_images, list_subfolders
from lta.data.network_size import OWN
from lta.data.shared import ON_SHARED, check_shared
from lta.pictures.grey_range import parse_range
from lta.runtime.cache import Cache, cache_folder

log = logging.getLogger(__name__)

VAL_NAMES = ("val", "valid", "validation")
SPLIT_NAMES = {"train", "test", *VAL_NAMES}
NO_TEST = ("error", "cut", "val")


class ImageFolder(ImageData):
    """Pictures below `root`, either `{train,val,test}/<class>/*` or `<class>/*`; classes are numbered by sorted name.

    `val_size`, `test_size`: images as a fraction in (0, 1) of what is cut, or (`split="order"`) as a count. With `train` and
    `test` folders, `val_size` is cut from train unless there is a `val` (`valid`, `validation`) folder, and `test_size` is
    not used. Otherwise both are cut from the whole. With `test_size="all"`, nothing is cut: all pictures of `<class>/*` or
    `test/<class>/*`, where there is no train folder, are test, and one class is enough. `split`, "hash" or "order": how they
    are cut, see `lta.data.cut`; `split_seed` decides which images, and changing `val_size` never changes the test set.
    `no_test`: what to do where there are `train` and `val`, and no `test`: "error", "cut" takes `test_size` from train, and
    "val" takes the val folder as test and cuts val from train.

    `image_size`: a number or [height, width], None: 32; pictures of other sizes are scaled by their shortest side and cut in
    the centre. `grey_range`, [lowest, highest]: what 16-bit grey is shown from and to (None: 0 to 65535). `cache`,
    `on_broken`: see `lta.data.image_cache`; `verify`, "changed" or "full": `lta.data.contents`. `on_shared`: pictures of
    test that are in another part too, byte for byte: "error" or "allow". `masks`: a folder with masks of some of the
    pictures, which is then no class; "auto" is `root/masks` where there is one (see `lta.data.folder_masks`).

    `labels`: a table (`lta.data.label_table`, below `root` or anywhere) that gives each picture several labels, or none;
    `label_separator` stands between names in it. Then folders are no classes, and pictures may lie anywhere below `root`; if
    all lie below folders `train`, `val` and `test`, these are the parts.

    Subfolders of a class belong to it, links are followed, and JPEGs need no ending. Unless `nested`, a folder without
    pictures of its own is no class. Names that begin with a dot, a system's folders, and files that are no pictures by their
    extension, are ignored.
    """

    def __init__(
        self,
        root: str,
        image_size: int | Sequence[int] | None = None,
        split: str = "order",
        val_size: int | float = 0.1,
        test_size: int | float | str = 0.2,
        split_seed: int = 0,
        no_test: str = "error",
        nested: bool = True,
        grey_range: Sequence[float] | None = None,
        on_broken: str = "error",
        on_shared: str = "allow",
        verify: str = "changed",
        masks: str | None = "auto",
        cache: Cache = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
        balanced: bool = False,
        labels: str | None = None,
        label_separator: str = SEPARATOR,
    ):
        super().__init__(batch_size, eval_batch_size, seed, balanced)
        check_separator(label_separator, labels)
        if labels is not None and balanced:
            raise ValueError(
                "data.balanced=true draws equally many pictures of each class, but with data.labels a picture has several"
            )
        self.labels, self.label_separator = labels, label_separator
        self._labelled: LabelledFolder | None = None
        self.root = Path(root).expanduser().absolute()
        self.size = parse_image_size(image_size)
        checks.require_choice("data.split", split, HOW)
        checks.require_choice("data.no_test", no_test, NO_TEST)
        checks.require_choice("data.on_shared", on_shared, ON_SHARED)
        checks.require_choice("data.verify", verify, VERIFY)
        checks.require_flag("data.nested", nested)
        self.cutting = Cut(split, val_size, test_size, split_seed)
        self.cutting.check()
        if on_broken not in ("error", "skip"):
            raise ValueError(f"data.on_broken={on_broken} must be one of error, skip")
        self.no_test, self.nested, self.grey_range = no_test, nested, parse_range(grey_range)
        self.cache, self.on_broken, self.on_shared, self.verify = cache, on_broken, on_shared, verify
        self.masks = masks
        self.file_names: list[str] = []
        self._mask_folder: Path | None = None
        self._mask_of: dict[str, Mask] = {}

    @property
    def several_labels(self) -> bool:
        """Whether a table (`labels`) gives each picture several labels."""
        return self.labels is not None

    def prepare_data(self) -> None:
        """On one process a node: what is decoded here, the others find in the cache. Raises DataError where a training run
        asks for pictures that are all test."""
        if self.trainer is not None and self.cutting.is_all_test:
            raise DataError(f"data.test_size={ALL} leaves no picture to train on: it is for lta evaluate checkpoint=RUN")
        self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Lists the folders, decides which pictures are for training, validation and test, and decodes them. Raises
        DataError for folders and pictures that can't be used."""
        if not self.root.is_dir():
            problem = "is not a folder" if self.root.exists() else "does not exist"
            raise DataError(f"data.root={self.root} {problem}; give the folder that holds train/ and test/, or classes")
        folders = list_subfolders(self.root)
        self._mask_folder = find_mask_folder(self.root, self.masks, folders)
        folders = [name for name in folders if name not in self._no_classes]
        if self.labels is not None:
            return self._load_labelled(self.root / Path(self.labels).expanduser())
        is_split = set(folders) & SPLIT_NAMES and (set(folders) <= SPLIT_NAMES or list_subfolders(self.root / "train"))
        class_names, splits = self._load_split_folders(folders) if is_split else self._load_one_folder()
        ways_on = "take them out of one" + ("" if self.cutting.how == "hash" or is_split else ", give data.split=hash")
        check_shared(self.root, splits, self.on_shared, ways_on)
        return class_names, splits["train"], splits.get("val"), splits["test"]

    def _load_labelled(self, path: Path) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        self._labelled = LabelledFolder(self.root, read_label_table(path, self.label_separator), self._mask_folder)
        folders = self._labelled.list_folders()
        parts = [name for name in folders if name in SPLIT_NAMES]
        if parts and len(parts) < len(folders):
            other = next(name for name in folders if name not in SPLIT_NAMES) or "the folder itself"
            raise DataError(
                f"{self.root}: labelled pictures lie in {', '.join(parts)} and in {other}: put all of them below train, val "
                "and test, or none"
            )
        class_names, splits = self._load_split_folders(parts) if parts else self._load_one_folder()
        if (lost := list_empty(splits["train"].labels, class_names)) and not self.cutting.is_all_test:
            raise DataError(f"{path}: no training picture has {', '.join(lost)}; add some, or remove the label")
        check_shared(self.root, splits, self.on_shared, "take them out of one")
        return class_names, splits["train"], splits.get("val"), splits["test"]

    def _list(self, part: str = "") -> Listing:
        if self._labelled is not None:
            return self._labelled.list_images(part)
        least = 1 if self.cutting.is_all_test else 2
        return list_images(self.root, part, self.nested, () if part else self._no_classes, least)

    def _load_split_folders(self, folders: list[str]) -> tuple[tuple[str, ...], dict[str, Split]]:
        val_folders = [name for name in VAL_NAMES if name in folders]
        if len(val_folders) > 1:
            raise DataError(f"{self.root} holds {' and '.join(val_folders)}, which all mean val; keep one of them")
        if folders == ["test"] and self.cutting.is_all_test:
            return self._load_one_folder("test")
        is_tested = "test" in folders or self.no_test == "cut" or (self.no_test == "val" and val_folders)
        if "train" not in folders or not is_tested:
            missing, ways = "test" if "train" in folders else "train", "train and test are needed, val can be cut from train"
            if folders == ["test"]:
                ways += f"; to evaluate a network on all of test, lta evaluate takes data.test_size={ALL}"
            if missing == "test":
                ways += f"; data.no_test=cut cuts test from train (data.test_size={self.cutting.test_size})"
                ways += f", data.no_test=val takes {val_folders[0]} as test and cuts val from train" if val_folders else ""
            raise DataError(f"{self.root} holds {', '.join(folders)} but no folder {missing}: {ways}")
        found = {"train": "train", "val": val_folders[0] if val_folders else "", "test": "test" if "test" in folders else ""}
        places = {part: place for part, place in found.items() if place}
        if "test" not in places and self.no_test == "val":
            places["test"] = places.pop("val")
            log.warning("%s has no test folder: %s is used for it, and val is cut from train", self.root, places["test"])
        listings = {part: self._list(place) for part, place in places.items()}
        class_names = listings["train"].class_names
        for part, listing in listings.items():
            check_same_classes(self.root, class_names, places[part], listing.class_names)
        self._match_masks([name for listing in listings.values() for name in listing.names])
        splits = {part: self._read(listing) for part, listing in listings.items()}
        train, names = splits.pop("train")
        to_cut = [part for part in ("test", "val") if part not in splits]
        if "test" in to_cut:
            log.warning("%s has no test folder: test is cut from train", self.root)
        cut = self.cutting.cut(train, self._cut_names(names, places["train"]), class_names, to_cut)
        return class_names, {**cut, **{part: split for part, (split, _) in splits.items()}}

    def _load_one_folder(self, part: str = "") -> tuple[tuple[str, ...], dict[str, Split]]:
        listing = self._list(part)
        self._match_masks(listing.names)
        whole, names = self._read(listing)
        cut = self.cutting.cut(whole, self._cut_names(names, part), listing.class_names, ("test", "val"))
        return listing.class_names, cut

    @property
    def _no_classes(self) -> tuple[str, ...]:
        """The name of the folder of masks, where it lies beside the classes."""
        folder = self._mask_folder
        return (folder.name,) if folder is not None and folder.parent == self.root else ()

    def _match_masks(self, names: Sequence[str]) -> None:
        if self._mask_folder is not None:
            self._mask_of = match_masks(self.root, self._mask_folder, names)
            log.info("%s: masks of %d of %d pictures", self._mask_folder, len(self._mask_of), len(names))

    def _read(self, listing: Listing) -> tuple[Split, list[str]]:
        """And the names of the pictures that could be read."""
        contents = digest_files(self.root, listing.names, cache_folder(self.cache, "data.cache"), self.verify)
        images, kept, _ = read_images(
            self.root,
            listing.names,
            self.size,
            self.cache,
            self.on_broken,
            contents=contents,
            grey_range=self.grey_range,
        )
        names = [listing.names[number] for number in np.flatnonzero(kept)]
        labels = listing.labels[kept]
        if not has_several(labels) and (empty := list_empty(labels, listing.class_names)):
            lost = ", ".join(empty)
            raise DataError(f"{self.root}: no readable picture is left of {lost}; repair the files or remove the class")
        self.file_names += names
        masks = read_known_masks(self.root, names, self._mask_of, self.size)
        return Split(images, labels, ids=make_ids(names, contents.tokens[kept]), masks=masks), names

    def _cut_names(self, names: Sequence[str], part: str = "") -> list[str]:
        """Without the folders of part and class, with / between others."""
        depth = bool(part) + (self._labelled is None)
        return ["/".join(name.split(os.sep)[depth:]) for name in names]


def parse_image_size(image_size: int | Sequence[int] | None) -> tuple[int, int]:
    """(height, width); None: that of lta's own networks."""
    if image_size is None:
        return OWN
    sides = [image_size, image_size] if isinstance(image_size, int) else image_size
    if isinstance(sides, str) or not isinstance(sides, Sequence) or len(sides) != 2:
        raise ValueError(f"data.image_size={image_size} must be a number of pixels or [height, width]")
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise ValueError(f"data.image_size={image_size} must be made of positive whole numbers")
    return sides[0], sides[1]
