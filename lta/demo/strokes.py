"""What a visitor painted: strokes, as the browser sends them, as a mask, and as parts of an SVG drawing.

No picture is sent: Gradio's own ImageEditor sends one, which Pillow would decode before it could be looked at.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

BRUSH, OUTLINE, ERASER = "brush", "outline", "eraser"
TOOLS = (BRUSH, OUTLINE, ERASER)
MOST_STROKES, MOST_POINTS = 2000, 50_000
FARTHEST = 100_000
"""Pixels: no picture that is taken has such a side."""

POINT = re.compile(r"-?\d{1,6}(?:\.\d{1,3})?,-?\d{1,6}(?:\.\d{1,3})?")


class Stroke(NamedTuple):
    """`points` (x, y) in pixels of the picture as it is shown; `width` of the line (an outline is filled, and has none)."""

    tool: str
    width: float
    points: tuple[tuple[float, float], ...]


def parse_strokes(said: object) -> tuple[Stroke, ...]:
    """Of JSON, a list of [tool, width, "x,y x,y ..."]. Raises ValueError for anything else."""
    try:
        given = json.loads(said) if isinstance(said, str) else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list) or len(given) > MOST_STROKES:
        raise ValueError(f"what was painted can't be read: at most {MOST_STROKES} strokes are allowed")
    strokes = tuple(_parse_stroke(one) for one in given)
    if sum(len(stroke.points) for stroke in strokes) > MOST_POINTS:
        raise ValueError(f"what was painted has more than {MOST_POINTS} points: clear some of it")
    return strokes


def draw_mask(strokes: Sequence[Stroke], size: tuple[int, int]) -> Image.Image:
    """255 where it is painted, of `size` (width, height). A stroke covers those before it."""
    mask = Image.new("L", size)
    drawing = ImageDraw.Draw(mask)
    for tool, width, points in strokes:
        if tool == OUTLINE:
            if len(points) >= 3:
                drawing.polygon(points, fill=255)
            continue
        value, radius = 0 if tool == ERASER else 255, width / 2
        drawing.line(points, fill=value, width=max(1, round(width)))
        for x, y in points:  # round ends and joints, and dots
            drawing.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
    return mask


def render_strokes(strokes: Sequence[Stroke]) -> str:
    """Parts of an SVG mask, as painter.js makes them too: white is painted."""
    return "".join(
        f'<polyline data-tool="{tool}" stroke-width="{width:g}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'
        for tool, width, points in strokes
    )


def _parse_stroke(one: object) -> Stroke:
    match one:
        case [str(tool), int(width) | float(width), str(points)] if tool in TOOLS and _is_in_reach(width):
            parts = points.split()
            if parts and all(map(POINT.fullmatch, parts)):
                return Stroke(tool, float(width), tuple((float(x), float(y)) for x, y in (p.split(",") for p in parts)))
    raise ValueError("what was painted can't be read: a stroke is a tool, a width and points")


def _is_in_reach(width: float) -> bool:
    return not isinstance(width, bool) and math.isfinite(width) and 0 <= width <= FARTHEST
