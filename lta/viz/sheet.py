"""Pictures in rows and columns, a heading over each column and a line of text under each picture."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lta.viz.panel import INK, RIGHT, TILE, WRONG, enlarge

GAP, LINE, MARGIN, DPI = 14, 20, 10, 100  # pixels


class Tile(NamedTuple):
    """A picture (uint8 height x width x 3), what stands under it, and whether that is right (None: neither)."""

    image: np.ndarray
    text: str = ""
    right: bool | None = None


def sheet(rows: Sequence[Sequence[Tile]], headings: Sequence[str], tile: int = TILE) -> Image.Image:
    """Every row has as many tiles as there are headings, all of one size; they are brought to about `tile` pixels."""
    colours = {None: INK, True: RIGHT, False: WRONG}
    height, width = enlarge(rows[0][0].image, tile).shape[:2]
    down, right = height + LINE + 4, max(width, 120) + GAP
    page = np.full((len(rows) * down + LINE + 2 * MARGIN, len(headings) * right - GAP + 2 * MARGIN, 3), 255, np.uint8)
    figure = Figure(figsize=(page.shape[1] / DPI, page.shape[0] / DPI), dpi=DPI)

    def write(left: int, top: int, text: str, colour: str) -> None:
        figure.text(left / page.shape[1], 1 - top / page.shape[0], text, color=colour, size=8, va="top")

    for column, heading in enumerate(headings):
        write(MARGIN + column * right, MARGIN, heading, INK)
    for row, tiles in enumerate(rows):
        for column, one in enumerate(tiles):
            left, top = MARGIN + column * right, MARGIN + LINE + row * down
            page[top : top + height, left : left + width] = enlarge(one.image, tile)
            write(left, top + height + 3, one.text, colours[one.right])
    figure.figimage(page)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")
