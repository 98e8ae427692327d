"""Masks drawn from the polygons and boxes of LabelMe and COCO files (JSON)."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lta.data.errors import DataError

Size = tuple[int, int]
"""(width, height) of a picture."""

Drawing = Callable[[Size], Image.Image]
"""Draws a mask, 8-bit grey, 0 or 255, for a picture of that size; raises DataError where it belongs to another size."""


def read_annotations(path: Path) -> dict[str, Drawing]:
    """By the picture's file name as the file has it: LabelMe's own name, COCO's `file_name` with `/`.

    All shapes of a picture together are its mask. A box counts where a COCO annotation has no segmentation. Raises DataError
    for a file that is neither, and for shapes that can't be drawn.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} can't be read as JSON: {error}") from error
    if isinstance(content, dict) and isinstance(content.get("shapes"), list):
        shapes = [_read_labelme(path, number, shape) for number, shape in enumerate(content["shapes"])]
        size = (content.get("imageWidth"), content.get("imageHeight"))
        return {path.name: partial(_draw, path, shapes, size)}
    if isinstance(content, dict) and isinstance(content.get("images"), list):
        return _read_coco(path, content)
    raise DataError(f"{path} is neither a LabelMe file (shapes) nor a COCO file (images, annotations)")


Shape = tuple[str, Sequence[Any]]
"""("polygon", points), ("rectangle" or "circle", two points), or ("rle", counts and size)."""


def _read_labelme(path: Path, number: int, shape: Any) -> Shape:
    kind = shape.get("shape_type", "polygon") if isinstance(shape, dict) else None
    needed = {"polygon": 3, "rectangle": 2, "circle": 2}
    if kind not in needed:
        raise DataError(f"{path}: shape {number} is a {kind}: only polygon, rectangle and circle are read")
    points = _read_points(path, f"shape {number}", shape.get("points"))
    if len(points) < needed[kind]:
        raise DataError(f"{path}: shape {number} has {len(points)} points, but a {kind} needs {needed[kind]}")
    return kind, points


def _read_coco(path: Path, content: Mapping[str, Any]) -> dict[str, Drawing]:
    shapes: dict[Any, list[Shape]] = {}
    for number, one in enumerate(content.get("annotations") or []):
        if not isinstance(one, dict) or "image_id" not in one:
            raise DataError(f"{path}: annotation {number} has no image_id")
        shapes.setdefault(one["image_id"], []).extend(_read_annotation(path, number, one))
    found: dict[str, Drawing] = {}
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            raise DataError(f"{path}: image {number} has no file_name")
        if own := shapes.pop(image.get("id"), None):
            size = (image.get("width"), image.get("height"))
            found[image["file_name"].replace("\\", "/")] = partial(_draw, path, own, size)
    if shapes:
        raise DataError(f"{path}: an annotation has image_id {next(iter(shapes))}, but no image has this id")
    return found


def _read_annotation(path: Path, number: int, one: Mapping[str, Any]) -> list[Shape]:
    where, segmentation = f"annotation {number}", one.get("segmentation")
    if isinstance(segmentation, list) and segmentation:
        return [("polygon", _read_points(path, where, polygon)) for polygon in segmentation]
    if isinstance(segmentation, dict):
        if not isinstance(segmentation.get("counts"), list):
            raise DataError(f"{path}: {where} is a compressed run-length code, which is not read: export polygons")
        return [("rle", (segmentation["counts"], segmentation.get("size")))]
    try:
        left, top, width, height = map(float, one["bbox"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {where} has neither a segmentation nor a bbox of four numbers") from error
    return [("rectangle", [(left, top), (left + width, top + height)])]


def _read_points(path: Path, where: str, points: Any) -> list[tuple[float, float]]:
    """From [[x, y], ...] or [x, y, x, y, ...]."""
    try:
        flat = np.asarray(points, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        flat = np.full((1, 2), np.nan)
    if not np.isfinite(flat).all() or not len(flat):
        raise DataError(f"{path}: the points of {where} are not pairs of numbers")
    return [(x, y) for x, y in flat.tolist()]


def _draw(path: Path, shapes: Sequence[Shape], size: tuple[Any, Any], of_picture: Size) -> Image.Image:
    if None not in size and size != of_picture:
        has, needs = ("x".join(map(str, one)) for one in (size, of_picture))
        raise DataError(f"{path} was drawn on a picture of {has} pixels, but the picture has {needs}: they must be the same")
    mask = Image.new("L", of_picture)
    draw = ImageDraw.Draw(mask)
    for kind, points in shapes:
        if kind == "rle":
            counts, runs_size = points
            mask.paste(255, mask=_decode_runs(path, counts, runs_size, of_picture))
        elif kind == "polygon":
            draw.polygon(points, fill=255)
        elif kind == "rectangle":
            xs, ys = zip(*points[:2], strict=True)
            draw.rectangle((min(xs), min(ys), max(min(xs), max(xs) - 1), max(min(ys), max(ys) - 1)), fill=255)
        else:
            (x, y), (edge_x, edge_y) = points[:2]
            radius = float(np.hypot(edge_x - x, edge_y - y))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def _decode_runs(path: Path, counts: Sequence[Any], size: Any, of_picture: Size) -> Image.Image:
    """COCO's uncompressed run-length code: runs of 0 and 1 in turn, column by column."""
    width, height = of_picture
    whole = isinstance(size, list) and size == [height, width] and all(type(n) is int and n >= 0 for n in counts)
    if not whole or sum(counts) != width * height:
        raise DataError(f"{path}: a run-length code does not cover the {width}x{height} pixels of its picture")
    flat = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8) * 255
    return Image.fromarray(np.ascontiguousarray(flat.reshape(width, height).T))
