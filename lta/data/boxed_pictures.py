"""Pictures with boxes around their objects: ROOT/images/*, and ROOT/BOXES.csv with a line for each box."""

import csv
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lta.data.errors import DataError
from lta.data.masked_pictures import join_names

BOXES = "BOXES.csv"
SIDES = ("x0", "y0", "x1", "y1")

OVER = 1.0
"""Pixels that a box may stand out of its picture, where it is cut: coordinates are rounded, and some count from 1."""


class Boxed(NamedTuple):
    """One line a picture: its path below the root, its class name, and its boxes as (x0, y0, x1, y1) in its own pixels."""

    images: list[str]
    classes: list[str]
    boxes: list[Float[np.ndarray, "boxes 4"]]


def list_boxed_images(root: Path, class_column: str | None, class_name: str) -> Boxed:
    """What BOXES.csv says, in its order: columns `image`, `x0`, `y0`, `x1`, `y1` and `class_column` (None: all are of
    `class_name`). Raises DataError for what is missing or no box, naming the row."""
    if not root.is_dir():
        raise DataError(f"data.root={root} is not a folder; give the one that holds images/ and {BOXES}")
    if not (root / "images").is_dir() or not (root / BOXES).is_file():
        missing = "folder images/" if not (root / "images").is_dir() else f"file {BOXES}"
        raise DataError(f"data.root={root} has no {missing}: it must hold images/ and {BOXES} (image,{','.join(SIDES)})")
    classes: dict[str, str] = {}
    boxes: dict[str, list[list[float]]] = {}
    for where, line in _read_rows(root / BOXES, class_column):
        name = (line["image"] or "").strip()
        label = class_name if class_column is None else (line[class_column] or "").strip()
        if not name or not label:
            raise DataError(f"{where} has no {class_column if name else 'image'}")
        if classes.setdefault(name, label) != label:
            raise DataError(
                f"{where}: {name} has the class {label} here but {classes[name]} earlier, and a picture can have only one; "
                "data.class_column=null ignores classes"
            )
        boxes.setdefault(name, []).append(_read_box(where, line))
    if not boxes:
        raise DataError(f"{root / BOXES} has no boxes")
    if missing := [name for name in boxes if not (root / "images" / name).is_file()]:
        verb = "is" if len(missing) == 1 else "are"
        raise DataError(f"{root / 'images'}: {join_names(missing)} {verb} named in {BOXES} but missing")
    return Boxed(
        [f"images/{name}" for name in boxes], list(classes.values()), [np.array(one, np.float64) for one in boxes.values()]
    )


def check_inside(root: Path, listing: Boxed, sizes: Sequence[tuple[int, int]]) -> None:
    """Raises DataError where a box does not lie in its picture, whose (width, height) is in `sizes`."""
    for name, boxes, (width, height) in zip(listing.images, listing.boxes, sizes, strict=True):
        out = (boxes < -OVER).any(1) | (boxes[:, 2] > width + OVER) | (boxes[:, 3] > height + OVER)
        if out.any():
            box = ", ".join(f"{value:g}" for value in boxes[out][0])
            raise DataError(f"{root / BOXES}: the box {box} does not lie in {name}, which has {width}x{height} pixels")


def move_boxes(
    listing: Boxed, parts: np.ndarray, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "pictures most 4"], Bool[np.ndarray, " pictures"]]:
    """Into pictures of `size` (height, width) that are made of the `parts` (left, top, width, height) of the files, cut at
    their edges; NaN where a picture has fewer than the most. And which pictures still have one."""
    moved = np.full((len(listing.boxes), max(map(len, listing.boxes)), 4), np.nan, np.float32)
    ends = np.array([size[1], size[0]] * 2)
    for number, (boxes, (left, top, width, height)) in enumerate(zip(listing.boxes, parts, strict=True)):
        cut = ((boxes - [left, top, left, top]) * ends / [width, height, width, height]).clip(0, ends)
        kept = cut[(cut[:, 2:] > cut[:, :2]).all(1)]
        moved[number, : len(kept)] = kept
    return moved, ~np.isnan(moved[:, 0, 0])


def _read_rows(path: Path, class_column: str | None) -> list[tuple[str, Mapping[str, str]]]:
    """Each line with the words that say where it is."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines, columns = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} can't be read as CSV in UTF-8: {error}") from error
    if missing := [column for column in ("image", *SIDES) if column not in columns]:
        raise DataError(f"{path} has no column {missing[0]}: it needs image,{','.join(SIDES)} but has {', '.join(columns)}")
    if class_column is not None and class_column not in columns:
        null = "(null: all are of data.class_name)"
        raise DataError(f"{path} has no column {class_column}: data.class_column={class_column} asks for it {null}")
    return [(f"{path}: row {number}", line) for number, line in enumerate(lines, start=2)]


def _read_box(where: str, line: Mapping[str, str]) -> list[float]:
    box = []
    for side in SIDES:
        try:
            value = float(line[side] or "")
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise DataError(f"{where}: {side} is {line[side] or 'empty'}, which is not a number")
        box.append(value)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise DataError(f"{where}: x0 must be below x1 and y0 below y1, but they are {', '.join(f'{v:g}' for v in box)}")
    return box
