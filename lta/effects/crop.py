"""The part of a picture that holds the attention, at an aspect ratio."""

import re

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from lta.checks import require_share

WORKING = 256
"""Cells along the longer side, on which places are compared."""


def crop(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    aspect: str | None = None,
    keep: float = 0.9,
) -> UInt8[Tensor, "channels rows columns"]:
    """The smallest window of `aspect` (width:height, as "4:3"; None: the picture's own) that holds the share `keep` of what
    the largest one could hold of the attention. With `alpha` four channels are returned. Values are as in the picture.
    """
    require_share("keep", keep)
    top, left, rows, columns = window(attention, ratio(aspect, picture.shape[1:]), keep)
    pixels = picture if alpha is None else torch.cat([picture, alpha[None]])
    return pixels[:, top : top + rows, left : left + columns].clone()


def ratio(aspect: str | None, size: tuple[int, ...]) -> float:
    """Width by height; raises ValueError where `aspect` is none."""
    if aspect is None:
        return size[1] / size[0]
    found = re.fullmatch(r"(\d+(?:\.\d+)?)[:x](\d+(?:\.\d+)?)", str(aspect))
    if not found or not all(float(part) > 0 for part in found.groups()):
        raise ValueError(f'aspect={aspect} must be width:height, as "4:3" or "1:1"')
    return float(found[1]) / float(found[2])


def window(attention: Float[Tensor, "height width"], aspect: float, keep: float) -> tuple[int, int, int, int]:
    """Top, left, rows and columns, in pixels; of windows that hold as much, that nearest to the middle."""
    height, width = attention.shape
    scale = max(1.0, max(height, width) / WORKING)
    cells = (max(1, round(height / scale)), max(1, round(width / scale)))
    mass = F.interpolate(attention[None, None].double(), cells, mode="area")[0, 0]
    if not mass.sum() > 0:
        mass = torch.ones_like(mass)
    sums = F.pad(mass.cumsum(0).cumsum(1), (1, 0, 1, 0))
    largest = min(height, width / aspect)  # rows, in pixels
    sizes = torch.linspace(1, largest, min(WORKING, max(2, int(largest)))).tolist()
    goal = keep * _find_best_window(sums, attention.shape, largest, aspect)[0]
    low, high = 0, len(sizes) - 1
    while low < high:  # a larger window never holds less
        middle = (low + high) // 2
        if _find_best_window(sums, attention.shape, sizes[middle], aspect)[0] >= goal * (1 - 1e-9):
            high = middle
        else:
            low = middle + 1
    rows, columns = _size(sizes[low], aspect, attention.shape)
    _, y, x = _find_best_window(sums, attention.shape, sizes[low], aspect)
    return min(round(y * height), height - rows), min(round(x * width), width - columns), rows, columns


def _size(rows: float, aspect: float, size: tuple[int, ...]) -> tuple[int, int]:
    return max(1, min(size[0], round(rows))), max(1, min(size[1], round(rows * aspect)))


def _find_best_window(sums: Tensor, size: tuple[int, ...], rows: float, aspect: float) -> tuple[float, float, float]:
    """What the best window of so many rows (pixels) holds, and its top and left as shares of the picture."""
    cells = (sums.shape[0] - 1, sums.shape[1] - 1)
    high, wide = (
        max(1, min(count, round(pixels * count / whole)))
        for pixels, count, whole in zip((rows, rows * aspect), cells, size, strict=True)
    )
    held = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    best = held.max()
    places = (held >= best * (1 - 1e-9)).nonzero()
    middle = (torch.tensor(held.shape) - 1) / 2
    y, x = places[(places - middle).square().sum(1).argmin()].tolist()
    return float(best), y / cells[0], x / cells[1]
