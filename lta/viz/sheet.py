"""Pictures in rows and columns, a heading over each column and a line of text under each picture."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from lta.viz.legend import Part, legend
from lta.viz.lettering import FAINT, INK, LINE, MARK, RIGHT, TITLE_FONT, WRONG, fit, length, mark, write
from lta.viz.panel import GAP, MARGIN, TILE, enlarge

APART, ROOM = 8, 10  # pixels between columns and between rows
LONGEST = 200  # pixels of text for which a column grows


class Tile(NamedTuple):
    """A picture (uint8 height x width x 3), what stands under it, and whether that is right (None: neither)."""

    image: np.ndarray
    text: str = ""
    right: bool | None = None


def sheet(
    rows: Sequence[Sequence[Tile]],
    headings: Sequence[str],
    title: str = "",
    explained: Sequence[Part] = (),
    tile: int = TILE,
) -> Image.Image:
    """Every row has as many tiles as there are headings, all of one size; they are brought to about `tile` pixels.

    `explained` are the parts of the legend.
    """
    columns = [[enlarge(row[column].image, tile) for row in rows] for column in range(len(headings))]
    height, width = columns[0][0].shape[:2]
    widths = [
        max(width, *(min(LONGEST, _width(row[column])) for row in rows), min(LONGEST, round(length(heading)) + 1))
        for column, heading in enumerate(headings)
    ]
    left = [MARGIN + sum(widths[:column]) + column * APART for column in range(len(headings))]
    down = height + GAP + LINE + ROOM
    heading_at = MARGIN + (LINE + 8 if title else 0)
    top = heading_at + (LINE + 2 if any(headings) else 0)
    foot = top + len(rows) * down
    page = Image.new("RGB", (left[-1] + widths[-1] + MARGIN, foot + (LINE + 6 if explained else 0) + MARGIN - ROOM), "white")
    draw = ImageDraw.Draw(page)
    write(draw, MARGIN, MARGIN, title, INK, TITLE_FONT)
    for x, room, heading, pictures in zip(left, widths, headings, columns, strict=True):
        write(draw, x, heading_at, fit(heading, room), FAINT)
        for number, picture in enumerate(pictures):
            page.paste(Image.fromarray(picture), (x, top + number * down))
    for number, row in enumerate(rows):
        y = top + number * down + height + GAP
        for x, room, one in zip(left, widths, row, strict=True):
            start = 0 if one.right is None else MARK
            if one.right is not None:
                mark(draw, x, y + 2, one.right)
            write(draw, x + start, y, fit(one.text, room - start), {None: INK, True: RIGHT, False: WRONG}[one.right])
    legend(page, MARGIN, foot, page.width - MARGIN, explained)
    return page


def _width(tile: Tile) -> int:
    """Pixels that the line under a picture needs."""
    return round(length(tile.text)) + 1 + (0 if tile.right is None else MARK)
