"""The box that a map draws around an object, and how well it fits: MaxBoxAcc (Choe et al. 2020, arXiv 2001.07437).

A box is (left, top, right, bottom) in pixels of the picture: 0 is its left or upper edge, its width or height the other one,
so that the box of a single pixel has sides of 1.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from torch import Tensor

from lta.measures.localisation import THRESHOLDS, count_reached

BOX_THRESHOLDS = THRESHOLDS[1::2].copy()
"""Every other one of THRESHOLDS: regions are sought at each of them."""

TOUCHING = np.ones((3, 3), int)
"""Pixels of one region touch each other with a side or a corner."""


def draw_boxes(pixels: Float[Tensor, "batch height width"]) -> Int[np.ndarray, "batch thresholds 4"]:
    """Around the largest region of pixels at or above each of BOX_THRESHOLDS (a share of a map's range). The largest is the
    one of the most pixels, and of several such the first, row by row. A map that is the same everywhere gets the whole
    picture."""
    reached = count_reached(pixels, BOX_THRESHOLDS).view(pixels.shape).numpy()
    return np.stack([_draw_boxes_of(one) for one in reached])


def fit_boxes(
    drawn: Int[np.ndarray, "batch thresholds 4"], boxes: Float[np.ndarray, "batch most 4"]
) -> Float[np.ndarray, "batch thresholds"]:
    """Intersection over union of the box `drawn` at each threshold and that of a picture's `boxes` (NaN where it has fewer
    than the most) which it fits best, 0 to 1."""
    ours, theirs = drawn[:, :, None].astype(np.float64), boxes[:, None]
    sides = np.minimum(ours[..., 2:], theirs[..., 2:]) - np.maximum(ours[..., :2], theirs[..., :2])
    common = sides.clip(0).prod(3)
    areas = [(one[..., 2:] - one[..., :2]).prod(3) for one in (ours, theirs)]
    return np.nan_to_num(common / (areas[0] + areas[1] - common)).max(2)


def fill_boxes(boxes: Float[np.ndarray, "batch most 4"], size: tuple[int, int]) -> Bool[np.ndarray, "batch height width"]:
    """Which pixels of pictures of `size` (height, width) have their centre in one of the boxes."""
    rows, columns = (np.arange(side) + 0.5 for side in size)
    left, top, right, bottom = (boxes[..., k, None] for k in range(4))
    across, down = (columns >= left) & (columns < right), (rows >= top) & (rows < bottom)
    filled = np.zeros((len(boxes), *size), bool)
    for k in range(boxes.shape[1]):
        filled |= down[:, k, :, None] & across[:, k, None]
    return filled


def _draw_boxes_of(reached: Int[np.ndarray, "height width"]) -> Int[np.ndarray, "thresholds 4"]:
    """`reached`: how many thresholds each pixel is at or above. Pixels above one are among those above the one before."""
    found = np.empty((len(BOX_THRESHOLDS), 4), np.int64)
    top = left = 0
    count = -1
    for number in range(len(found)):
        above = reached > number
        if (now := int(above.sum())) == count:
            found[number] = found[number - 1]
            continue
        count = now
        rows, columns = np.flatnonzero(above.any(1)), np.flatnonzero(above.any(0))
        inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        reached, above = reached[inner], above[inner]
        top, left = top + rows[0], left + columns[0]
        regions = np.zeros(above.shape, np.int32)
        ndimage.label(above, TOUCHING, regions)
        largest = int(np.bincount(regions.ravel())[1:].argmax()) + 1
        down, across = ndimage.find_objects(regions, largest)[largest - 1]
        found[number] = left + across.start, top + down.start, left + across.stop, top + down.stop
    return found
