"""Pictures, their attention maps and what the network said, on one sheet."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from lta.viz.colour import colour_table, overlay

TILE = 128  # pixels: pictures are enlarged, by a whole factor, to about this
CELL = 104  # the least width that leaves room for the text under a tile
GAP, MARGIN, BETWEEN = 4, 14, 22
LINE, FONT, TITLE_FONT = 16, 11, 14
PAGE = 1200  # strips stand beside each other up to this width

INK, FAINT, PAPER = "#222222", "#707070", "#ffffff"
RIGHT, WRONG = "#0072b2", "#d55e00"
"""Blue and vermilion of Okabe and Ito's palette, which colour-blind eyes tell apart; a tick or cross says it again."""
TIMES, DASH = "\u00d7", "\u2013"


class Example(NamedTuple):
    """One picture (uint8 height x width x 3), its maps by level (non-negative), names, and the confidence 0 to 1."""

    image: np.ndarray
    maps: Mapping[str, np.ndarray]
    label: str
    predicted: str
    confidence: float


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
    examples: Sequence[Example], title: str = "", upsampling: str = "nearest", colours: str = "inferno",
    legend: bool = True,
) -> Image.Image:  # fmt: skip
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
    if legend:
        canvas[top + lines * strip_height + 3 :, MARGIN + 14 :][:10, :128] = colour_table(colours)[::2]

    sheet = Image.fromarray(canvas)
    draw = ImageDraw.Draw(sheet)
    _write(draw, MARGIN, MARGIN, title, INK, TITLE_FONT)
    for left, _ in corners[:columns]:
        for place, text in enumerate(_headings(examples[0])):
            _write(draw, left + place * (cell + GAP), heading, _fit(text, cell), FAINT)
    for (left, y), example in zip(corners, examples, strict=True):
        _say(draw, example, left, y + tile_height + GAP, cell)
    if legend:
        _legend(draw, MARGIN, top + lines * strip_height, width - MARGIN)
    return sheet


def _tiles(example: Example, upsampling: str, colours: str) -> list[np.ndarray]:
    picture = enlarge(example.image)
    if upsampling == "nearest" and picture.size >= example.image.size:
        # The same blocks, coloured before they are copied.
        maps = (enlarge(overlay(example.image, attn, upsampling, colours)) for attn in example.maps.values())
    else:
        maps = (overlay(picture, attn, upsampling, colours) for attn in example.maps.values())
    return [picture, *maps]


def _headings(example: Example) -> list[str]:
    return ["picture", *(f"{level}  {attn.shape[0]} {TIMES} {attn.shape[1]}" for level, attn in example.maps.items())]


def _say(draw: ImageDraw.ImageDraw, example: Example, left: int, y: int, cell: int) -> None:
    """The two lines under a strip."""
    right = example.predicted == example.label
    colour = RIGHT if right else WRONG
    confidence = f"{100 * example.confidence:.0f} %"
    room = cell - round(_length(confidence))
    _write(draw, left, y, _fit(example.label, cell - 8), INK)
    _mark(draw, left, y + LINE + 2, right, colour)
    _write(draw, left + 13, y + LINE, _fit(example.predicted, room - 18), colour)
    _write(draw, left + room, y + LINE, confidence, colour)
    for place, attn in enumerate(example.maps.values(), start=1):
        _write(draw, left + place * (cell + GAP), y, _range(attn), FAINT)


def _range(attn: np.ndarray) -> str:
    mean = attn.mean(dtype=np.float64)
    highest = attn.max() / mean if mean != 0 else 1.0
    return f"0 {DASH} {highest:.{0 if highest >= 9.95 else 1}f} {TIMES} uniform"


def _mark(draw: ImageDraw.ImageDraw, x: int, y: int, right: bool, colour: str) -> None:
    """A tick or a cross, 9 pixels wide."""
    if right:
        draw.line([(x, y + 5), (x + 3, y + 9), (x + 9, y + 1)], colour, 2)
    else:
        draw.line([(x, y + 1), (x + 8, y + 9)], colour, 2)
        draw.line([(x, y + 9), (x + 8, y + 1)], colour, 2)


def _legend(draw: ImageDraw.ImageDraw, x: int, y: int, end: int) -> None:
    """The text about the colour bar, and as many further explanations as there is room for."""
    _write(draw, x, y, "0", FAINT)
    x += 14 + 128 + 6
    uniform = "uniform = 1 / number of positions"
    for mark, text in ((None, "tile's maximum"), (True, "right"), (False, "wrong"), (None, uniform)):
        if x + 14 + _length(text) > end:
            return
        if mark is not None:
            _mark(draw, x, y + 2, mark, RIGHT if mark else WRONG)
            x += 14
        _write(draw, x, y, text, FAINT)
        x += round(_length(text)) + 20


def _write(draw: ImageDraw.ImageDraw, x: int, y: int, text: str, colour: str, size: int = FONT) -> None:
    """Word by word, from a store: rendering letters would take more time than all the rest of a panel."""
    at = float(x)
    for word in text.split(" "):
        mask, length = _word(word, size)
        if word:
            draw.bitmap((round(at), y), mask, colour)
            at += length
        at += _word("", size)[1]


@lru_cache(2000)
def _word(text: str, size: int) -> tuple[Image.Image, float]:
    """White on black, and the length; that of "" is a space's."""
    font = _font(size)
    mask = Image.new("L", (round(font.getlength(text)) + 2, size + 4))
    ImageDraw.Draw(mask).text((0, 0), text, 255, font)
    return mask, font.getlength(text or " ")


def _length(text: str) -> float:
    return _font(FONT).getlength(text)


@lru_cache(2000)
def _fit(text: str, width: int) -> str:
    """Shortened to `width` pixels."""
    if _length(text) <= width:
        return text
    while text and _length(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache(None)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: Pillow's own font has ASCII alone, and class names have more."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)
