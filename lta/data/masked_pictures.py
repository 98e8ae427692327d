"""Pictures with a mask of their object each: ROOT/images/*, ROOT/masks/*, and ROOT/LABELS.csv where there is one."""

import csv
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from PIL import Image, ImageOps, UnidentifiedImageError

from lta.data.decoding import ORIENTATION, list_formats
from lta.data.errors import DataError
from lta.data.listing import list_endings

log = logging.getLogger(__name__)

LABELS = "LABELS.csv"
FITS = ("crop", "squash")


class Listing(NamedTuple):
    """One line a mask: paths below the root, class names, and the number of the picture (one may have several masks)."""

    images: list[str]
    masks: list[str]
    classes: list[str]
    sources: np.ndarray


def list_masked_images(
    root: Path, mask_column: str, class_column: str | None, class_name: str, key: str = "data.root"
) -> Listing:
    """What LABELS.csv says (columns `image`, `mask_column`, `class_column`), or else masks by the stem of their pictures.

    The class is `class_name` without LABELS.csv, or where `class_column` is None. Pictures without a mask are left out,
    which is said in a line; `key` is the setting that gives `root`.

    Raises DataError where there is none with a mask, or a file is missing.
    """
    if not root.is_dir():
        raise DataError(f"{key}={root} is not a folder; give the one that holds images/ and masks/")
    for name in ("images", "masks"):
        if not (root / name).is_dir():
            raise DataError(f"{key}={root} has no folder {name}/: it must hold images/ and masks/, and may hold LABELS.csv")
    by_csv = (root / LABELS).is_file()
    found = _list_by_csv(root, mask_column, class_column, class_name) if by_csv else _list_by_stem(root, class_name)
    masked = [line for line in found if line[1]]
    if not masked:
        how = f"column {mask_column} of {LABELS} names none" if by_csv else "none has the file stem of a picture in images/"
        raise DataError(f"{root} has no masks: {how}")
    if left_out := len(found) - len(masked):
        log.info("%s: %d of %d pictures have no mask and are left out", root, left_out, len(found))
    images, masks, classes = (list(column) for column in zip(*masked, strict=True))
    images, masks = ([f"{folder}/{name}" for name in names] for folder, names in (("images", images), ("masks", masks)))
    missing = [name for name in dict.fromkeys([*images, *masks]) if not (root / name).is_file()]
    if missing:
        raise DataError(
            f"{root}: {join_names(missing)} {'is' if len(missing) == 1 else 'are'} named in {LABELS} but missing"
        )
    return Listing(images, masks, classes, np.unique(images, return_inverse=True)[1].astype(np.int64))


def compute_crop_boxes(root: Path, images: Sequence[str], size: tuple[int, int], fit: str) -> Int[np.ndarray, "pictures 4"]:
    """What is taken of each picture, as (left, top, width, height) in its own pixels: "crop" takes as much of the centre as
    has the proportions of `size` (height, width), "squash" all. Raises DataError for a picture that can't be read.
    """
    found = np.zeros((len(images), 4), np.int64)
    for number, image in enumerate(images):
        with _report_unreadable(root, image):
            whole = read_upright_size(root / image)
        scale = min(side / wanted for side, wanted in zip(whole, size[::-1], strict=True))
        kept = whole if fit == "squash" else tuple(round(wanted * scale) for wanted in size[::-1])
        found[number] = *((side - part) // 2 for side, part in zip(whole, kept, strict=True)), *kept
    return found


def read_masks(
    root: Path, listing: Listing, size: tuple[int, int], boxes: Int[np.ndarray, "pictures 4"], threshold: float | None
) -> Bool[np.ndarray, "pictures height width"]:
    """Each mask cut and reduced as its picture is: a pixel belongs to the object where at least half of it does.

    Some may come out empty. Raises DataError, for the first such file, where a mask is empty before that, has another
    size than its picture, or can't be read as a mask (see `open_mask`).
    """
    masks = np.empty((len(listing.masks), *size), bool)
    for number, (image, mask) in enumerate(zip(listing.images, listing.masks, strict=True)):
        opened = open_fitting_mask(root, image, mask, threshold)
        masks[number] = np.asarray(reduce_mask(opened, size, boxes[number].tolist())) >= 128
    return masks


def open_fitting_mask(
    root: Path, image: str, mask: str, threshold: float | None, key: str = "data.threshold"
) -> Image.Image:
    """`open_mask`; raises DataError where it does not have the size of its picture."""
    with _report_unreadable(root, mask):
        opened = open_mask(root / mask, threshold, key)
    with _report_unreadable(root, image):
        expected = read_upright_size(root / image)
    if opened.size != expected:
        of_mask, of_image = (f"{width}x{height}" for width, height in (opened.size, expected))
        raise DataError(f"{root / mask} has {of_mask} pixels, but its picture {image} has {of_image}: they must be the same")
    return opened


@contextmanager
def _report_unreadable(root: Path, name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise anything from SyntaxError to struct.error
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "not a picture of a known format" if unknown else " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{root}: {name} can't be read: {reason}") from error


def open_mask(file: Path, threshold: float | None, key: str = "data.threshold") -> Image.Image:
    """Upright, 8-bit grey: 255 where the object is, else 0.

    Without a `threshold` a mask must hold zeros and one other value, which is the object; with one, brighter pixels (in
    the file's own values, the brightest channel's) are the object; `key` is the setting that gives it. Raises DataError for
    other values, or no object.
    """
    with Image.open(file, formats=list_formats()) as opened:
        upright = ImageOps.exif_transpose(opened)
    if upright.mode in ("P", "PA", "RGBA", "LA", "CMYK", "YCbCr"):
        upright = upright.convert("RGB")
    values = np.asarray(upright)
    values = values.max(2) if values.ndim == 3 else values
    if threshold is None and len(others := np.unique(values[values != 0])) > 1:
        raise DataError(
            f"{file} is not a binary mask: besides 0 it holds {len(others)} values, from {others[0]:g} to {others[-1]:g}; "
            f"give {key}=127 (or another) to take brighter pixels as the object"
        )
    mask = values > (threshold or 0)
    if not mask.any():
        brighter = "" if threshold is None else f": nothing is brighter than {key}={threshold:g}"
        raise DataError(f"{file} is an empty mask{brighter}; mark the object in it or take it out")
    return Image.fromarray(mask.astype(np.uint8) * 255)


def read_upright_size(file: Path) -> tuple[int, int]:
    """(width, height) of a picture as its EXIF orientation has it."""
    with Image.open(file, formats=list_formats()) as image:
        turned = image.getexif().get(ORIENTATION, 1) >= 5
        width, height = image.size
        return (height, width) if turned else (width, height)


def reduce_mask(mask: Image.Image, size: tuple[int, int], box: Sequence[int]) -> Image.Image:
    """To `size` (height, width) by area averages: half-covered pixels are half grey, so that nothing is shifted."""
    left, top, width, height = box
    return mask.resize((size[1], size[0]), Image.Resampling.BOX, (left, top, left + width, top + height))


def join_names(names: Sequence[str]) -> str:
    """The first five."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _list_by_csv(root: Path, mask_column: str, class_column: str | None, class_name: str) -> list[tuple[str, str, str]]:
    path = root / LABELS
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines, columns = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} can't be read as CSV in UTF-8: {error}") from error
    for setting, column in (("image", "image"), ("data.mask_column", mask_column), ("data.class_column", class_column)):
        if column is not None and column not in columns:
            asked = "an image column is needed" if setting == "image" else f"{setting}={column} asks for it"
            null = " (null: all are of data.class_name)" if setting == "data.class_column" else ""
            raise DataError(f"{path} has no column {column}: {asked}{null}; it has {', '.join(columns) or 'none'}")
    found = []
    for number, line in enumerate(lines, start=2):
        image, mask = ((line[column] or "").strip() for column in ("image", mask_column))
        label = class_name if class_column is None else (line[class_column] or "").strip()
        if not image or (mask and not label):
            raise DataError(f"{path}: row {number} has no {class_column if image else 'image'}")
        found.append((image, mask, label))
    return found


def _list_by_stem(root: Path, class_name: str) -> list[tuple[str, str, str]]:
    images, masks = (_list_image_files(root / folder) for folder in ("images", "masks"))
    by_stem = {os.path.splitext(name)[0]: name for name in masks}
    for folder, names in (("images", images), ("masks", masks)):
        twice = [stem for stem, count in Counter(os.path.splitext(name)[0] for name in names).items() if count > 1]
        if twice:
            raise DataError(
                f"{root / folder} holds several files named {twice[0]}: list in {LABELS} which mask belongs to which picture"
            )
    return [(name, by_stem.get(os.path.splitext(name)[0], ""), class_name) for name in images]


def _list_image_files(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(name for name in names if os.path.splitext(name)[1].lower() in list_endings())
