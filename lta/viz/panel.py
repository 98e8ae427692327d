"""Pictures, their attention maps and what the network said, on one sheet."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw

from lta.measures.placement import Placement
from lta.viz.colour import overlay
from lta.viz.legend import legend as write_legend
from lta.viz.lettering import FAINT, INK, LINE, MARK, RIGHT, TITLE_FONT, WRONG, fit, length, mark, write
from lta.viz.outline import draw_outline

TILE = 128  # pixels: pictures are enlarged, by a whole factor, to about this
CELL = 104  # the least width that leaves room for the text under a tile
GAP, MARGIN, BETWEEN = 4, 14, 22
PAGE = 1200  # strips stand beside each other up to this width
TIMES, DASH = "\u00d7", "\u2013"


class Example(NamedTuple):
    """One picture (uint8 height x width x 3), its maps by level (non-negative), names, and the confidence 0 to 1; with the
    mask of an object, its border is drawn into picture and maps. `placements` says by level where a map's cells lie; those
    of the others part the picture evenly."""

    image: np.ndarray
    maps: Mapping[str, np.ndarray]
    label: str
    predicted: str
    confidence: float
    mask: Bool[np.ndarray, "rows columns"] | None = None
    placements: Mapping[str, Placement] = {}


def enlarge(image: UInt8[np.ndarray, "height width 3"], tile: int = TILE) -> UInt8[np.ndarray, "tile_height tile_width 3"]:
    """By the whole factor that brings the longer side nearest to `tile` pixels; pictures too big for that are reduced."""
    longer = max(image.shape[:2])
    if longer > 1.5 * tile:
        height, width = (max(1, round(side * tile / longer)) for side in image.shape[:2])
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
    factor = max(1, round(tile / longer))
    return image.repeat(factor, 0).repeat(factor, 1)


def strip(example: Example, upsampling: str = "nearest", colours: str = "inferno") -> UInt8[np.ndarray, "height width 3"]:
    """Picture | shallowest level | ... | deepest level, 4 white pixels apart, no text."""
    tiles = _tiles(example, upsampling, colours)
    height, width = tiles[0].shape[:2]
    sheet = np.full((height, len(tiles) * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        sheet[:, number * (width + GAP) :][:, :width] = tile
    return sheet


def panel(
    examples: Sequence[Example],
    title: str = "",
    upsampling: str = "nearest",
    colours: str = "inferno",
    legend: bool = True,
) -> Image.Image:
    """All strips with their text: true class, prediction with its confidence, and for every map its resolution (above)
    and its range as multiples of uniform attention (below; colours run from 0 to the tile's own maximum).

    Pictures of one panel have the same levels. Strips are set in as many columns as make a handsome page.
    """
    if not examples:
        raise ValueError("a panel needs at least one picture")
    drawn = [_tiles(example, upsampling, colours) for example in examples]
    tile_height = max(tiles[0].shape[0] for tiles in drawn)
    cell = max(CELL, *(tiles[0].shape[1] for tiles in drawn))
    strip_width = len(drawn[0]) * (cell + GAP) - GAP
    columns = max(1, min(len(examples), (PAGE + BETWEEN) // (strip_width + BETWEEN)))
    lines = -(-len(examples) // columns)
    columns = -(-len(examples) // lines)  # as few as hold them: rows of even length
    strip_height = tile_height + 2 * LINE + GAP + 8
    heading = MARGIN + (LINE + 8 if title else 0)
    top = heading + LINE + 2
    legend = legend and bool(examples[0].maps)
    width = 2 * MARGIN + columns * (strip_width + BETWEEN) - BETWEEN
    height = top + lines * strip_height + (LINE + 6 if legend else 0) + MARGIN - 8

    corners = [
        (MARGIN + number % columns * (strip_width + BETWEEN), top + number // columns * strip_height)
        for number in range(len(examples))
    ]
    canvas = np.full((height, width, 3), 255, np.uint8)
    for (left, y), tiles in zip(corners, drawn, strict=True):
        for place, tile in enumerate(tiles):
            canvas[y:, left + place * (cell + GAP) :][: tile.shape[0], : tile.shape[1]] = tile

    sheet = Image.fromarray(canvas)
    draw = ImageDraw.Draw(sheet)
    write(draw, MARGIN, MARGIN, title, INK, TITLE_FONT)
    for left, _ in corners[:columns]:
        for place, text in enumerate(_headings(examples[0])):
            write(draw, left + place * (cell + GAP), heading, fit(text, cell), FAINT)
    for (left, y), example in zip(corners, examples, strict=True):
        _write_captions(draw, example, left, y + tile_height + GAP, cell)
    if legend:
        parts = ("map", "right", "wrong", "uniform")
        write_legend(sheet, MARGIN, top + lines * strip_height, width - MARGIN, parts, colours)
    return sheet


def _tiles(example: Example, upsampling: str, colours: str) -> list[np.ndarray]:
    picture = enlarge(example.image)
    if upsampling == "nearest" and picture.size >= example.image.size:
        # The same blocks, coloured before they are copied.
        maps = [enlarge(one) for one in _overlay_maps(example.image, example, upsampling, colours)]
    else:
        maps = _overlay_maps(picture, example, upsampling, colours)
    tiles = [picture, *maps]
    return tiles if example.mask is None else [draw_outline(tile, example.mask) for tile in tiles]


def _overlay_maps(picture: np.ndarray, example: Example, upsampling: str, colours: str) -> list[np.ndarray]:
    return [
        overlay(picture, attn, upsampling, colours, placement=example.placements.get(level))
        for level, attn in example.maps.items()
    ]


def _headings(example: Example) -> list[str]:
    return ["picture", *(f"{level}  {attn.shape[0]} {TIMES} {attn.shape[1]}" for level, attn in example.maps.items())]


def _write_captions(draw: ImageDraw.ImageDraw, example: Example, left: int, y: int, cell: int) -> None:
    """The two lines under a strip."""
    right = example.predicted == example.label
    colour = RIGHT if right else WRONG
    confidence = f"{100 * example.confidence:.0f} %"
    room = cell - round(length(confidence))
    write(draw, left, y, fit(example.label, cell - 8), INK)
    mark(draw, left, y + LINE + 2, right)
    write(draw, left + MARK, y + LINE, fit(example.predicted, room - 18), colour)
    write(draw, left + room, y + LINE, confidence, colour)
    for place, attn in enumerate(example.maps.values(), start=1):
        write(draw, left + place * (cell + GAP), y, describe_range(attn), FAINT)


def describe_range(attn: np.ndarray) -> str:
    """From 0 to a map's maximum, as multiples of uniform attention."""
    mean = attn.mean(dtype=np.float64)
    highest = attn.max() / mean if mean != 0 else 1.0
    return f"0 {DASH} {highest:.{0 if highest >= 9.95 else 1}f} {TIMES} uniform"
