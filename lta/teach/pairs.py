"""Which mask belongs to which picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lta.data.errors import DataError
from lta.data.folder_masks import Mask, match_masks
from lta.data.masked_pictures import LABELS, list_masked_images
from lta.pictures.find import find_images


class Pair(NamedTuple):
    """A picture, below `root`, and its mask: a file, or what draws it from polygons."""

    root: Path
    image: str
    mask: Mask


def find_pairs(masks: Path, images: Path | None) -> tuple[list[Pair], int]:
    """Pictures with their masks, in the order of the pictures, and how many pictures have none.

    `images` None: `masks` holds images/ and masks/, with LABELS.csv if there is one (see lta.data.masked_pictures). Else
    masks are matched as those of an image folder are (see lta.data.folder_masks), with pictures in `images` and below.

    Raises DataError where there is no such folder or no pair, where a mask has no picture or several, and where a picture
    has two masks.
    """
    if images is None:
        listing = list_masked_images(masks, "mask", None, "object", key="masks")
        if twice := _find_twice(listing.images):
            raise DataError(f"{masks / LABELS}: {twice} has more than one mask; give each picture one")
        return [Pair(masks, *names) for names in zip(listing.images, map(masks.joinpath, listing.masks), strict=True)], 0
    for key, folder in (("masks", masks), ("images", images)):
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise DataError(f"{key}={folder} {problem}")
    pictures = [path for path in find_images(images, below=True) if not path.is_relative_to(masks)]
    names = [path.relative_to(images).as_posix() for path in pictures]
    found = match_masks(images, masks, names, way_out="take it out")
    if not found:
        raise DataError(f"masks={masks} holds no masks; a mask is a picture that is black except on the object")
    return [Pair(images, name, found[name]) for name in names if name in found], len(names) - len(found)


def _find_twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
