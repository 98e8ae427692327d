"""Which mask belongs to which picture, by their names."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lta.data.errors import DataError
from lta.data.masked_pictures import LABELS, list_masked_images
from lta.pictures.find import is_hidden, list_extensions

SEPARATORS = "_-. "
"""What may stand between a picture's name and what its mask has behind it."""


class Pair(NamedTuple):
    """Files, below `root`."""

    root: Path
    image: str
    mask: str


def find_pairs(masks: Path, images: Path | None) -> tuple[list[Pair], int]:
    """Pictures with their masks, sorted by name, and how many pictures have none.

    `images` None: `masks` holds images/ and masks/, with LABELS.csv if there is one (see lta.data.masked_pictures). Else a
    mask has its picture's name, any ending of a file, and perhaps something behind it: photo_mask.png for photo.jpg.

    Raises DataError where there is no such folder or no pair, where a mask has no picture, and where a picture has two.
    """
    if images is None:
        listing = list_masked_images(masks, "mask", None, "object", key="masks")
        if twice := _find_twice(listing.images):
            raise DataError(f"{masks / LABELS}: {twice} has more than one mask; give one mask a picture")
        return [Pair(masks, image, mask) for image, mask in zip(listing.images, listing.masks, strict=True)], 0
    for key, folder in (("masks", masks), ("images", images)):
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise DataError(f"{key}={folder} {problem}")
    pictures = _list_files(images)
    if twice := _find_twice([_name(name) for name in pictures]):
        raise DataError(f"images={images} has several pictures named {twice}, of which a mask can't tell one")
    by_name = {_name(name): name for name in pictures}
    root = Path(os.path.commonpath([masks.absolute(), images.absolute()]))
    found: dict[str, Pair] = {}
    for mask in _list_files(masks):
        name = _find_owner(_name(mask), list(by_name))
        if name is None:
            raise DataError(f"{masks / mask} has no picture of its name in images={images}")
        if name in found:
            raise DataError(f"{by_name[name]} has two masks in masks={masks}: {Path(found[name].mask).name} and {mask}")
        paths = (os.path.relpath(path.absolute(), root) for path in (images / by_name[name], masks / mask))
        found[name] = Pair(root, *paths)
    if not found:
        raise DataError(f"masks={masks} holds no pictures; a mask is a picture that is black beside the object")
    return [found[name] for name in sorted(found)], len(pictures) - len(found)


def _list_files(folder: Path) -> list[str]:
    known = list_extensions()
    names = (path.name for path in folder.iterdir() if path.is_file() and not is_hidden(path.name))
    return sorted(name for name in names if os.path.splitext(name)[1].lower() in known)


def _name(file: str) -> str:
    return os.path.splitext(file)[0]


def _find_owner(mask: str, names: Sequence[str]) -> str | None:
    """Of the pictures' names the longest that the mask's begins with."""
    fitting = [name for name in names if mask == name or (mask.startswith(name) and mask[len(name)] in SEPARATORS)]
    return max(fitting, key=len, default=None)


def _find_twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
