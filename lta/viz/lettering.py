"""Words, ticks and crosses on sheets of pictures."""

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

LINE, FONT, TITLE_FONT = 16, 11, 14  # pixels

INK, FAINT = "#222222", "#707070"
RIGHT, WRONG = "#0072b2", "#d55e00"
"""Blue and vermilion of Okabe and Ito's palette, which colour-blind eyes tell apart; a tick or cross says it again."""
MARK = 13
"""Pixels that a mark and the space after it take."""


def write(draw: ImageDraw.ImageDraw, x: int, y: int, text: str, colour: str = INK, size: int = FONT) -> None:
    """Word by word, from a store: rendering letters would take more time than all the rest of a panel."""
    at = float(x)
    for word in text.split(" "):
        mask, width = _word(word, size)
        if word:
            draw.bitmap((round(at), y), mask, colour)
            at += width
        at += _word("", size)[1]


def mark(draw: ImageDraw.ImageDraw, x: int, y: int, right: bool) -> None:
    """A blue tick or a vermilion cross, 9 pixels wide."""
    if right:
        draw.line([(x, y + 5), (x + 3, y + 9), (x + 9, y + 1)], RIGHT, 2)
    else:
        draw.line([(x, y + 1), (x + 8, y + 9)], WRONG, 2)
        draw.line([(x, y + 9), (x + 8, y + 1)], WRONG, 2)


def length(text: str) -> float:
    """Pixels that `write` needs for it."""
    return _font(FONT).getlength(text)


@lru_cache(2000)
def fit(text: str, width: int) -> str:
    """Shortened to `width` pixels."""
    if length(text) <= width:
        return text
    while text and length(text + "\u2026") > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"


@lru_cache(2000)
def _word(text: str, size: int) -> tuple[Image.Image, float]:
    """White on black, and the length; that of "" is a space's."""
    font = _font(size)
    mask = Image.new("L", (round(font.getlength(text)) + 2, size + 4))
    ImageDraw.Draw(mask).text((0, 0), text, 255, font)
    return mask, font.getlength(text or " ")


@lru_cache(None)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: Pillow's own font has ASCII alone, and class names have more."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)
