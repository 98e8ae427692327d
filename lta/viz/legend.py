"""The line at the foot of a sheet that says what its colours and marks mean."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from lta.viz.colour import colour_table
from lta.viz.difference import CAME, LEFT
from lta.viz.lettering import FAINT, length, mark, write

Part = Literal["map", "change", "right", "wrong", "uniform"]
BAR, HIGH, APART = 128, 10, 20  # pixels
WORDS = {
    "map": ("0", "tile's maximum"),
    "change": ("less", "more attention"),
    "right": ("", "right"),
    "wrong": ("", "wrong"),
    "uniform": ("", "uniform = 1 / number of positions"),
}


def legend(page: Image.Image, x: int, y: int, end: int, parts: Sequence[Part], colours: str = "inferno") -> None:
    """As many of the parts as there is room for from `x` to `end`, in their order."""
    draw = ImageDraw.Draw(page)
    bars = {"map": colour_table(colours)[::2], "change": _change()}
    for part in parts:
        before, after = WORDS[part]
        start = round(length(before)) + 7 if before else 0
        wide = BAR if part in bars else 14 if part in ("right", "wrong") else 0
        gap = 6 if part in bars else 0
        if x + start + wide + gap + length(after) > end:
            return
        write(draw, x, y, before, FAINT)
        x += start
        if part in bars:
            page.paste(Image.fromarray(np.ascontiguousarray(np.broadcast_to(bars[part], (HIGH, BAR, 3)))), (x, y + 3))
        elif wide:
            mark(draw, x, y + 2, part == "right")
        x += wide + gap
        write(draw, x, y, after, FAINT)
        x += round(length(after)) + APART


def _change() -> np.ndarray:
    """From blue over the grey of pictures to vermilion, `BAR` colours."""
    strength = np.linspace(-1, 1, BAR)[:, None]
    grey = np.full(3, 121.0)
    return np.rint(grey + np.abs(strength) * (np.where(strength > 0, CAME, LEFT) - grey)).astype(np.uint8)
