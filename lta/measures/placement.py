"""Where the cells of a map lie over its picture: what puts a map on a picture, or a picture's masks on a map, asks here."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lta.layers.interpolation import interpolation_weights
from lta.protocols import Cells, Network


class Placement(NamedTuple):
    """Of the centres of a map's cells, in shares of the picture's height and width: that of cell (i, j) is at
    (`top + down * i`, `left + across * j`), where 0 and 1 are the picture's borders. Of a picture that is seen at another
    size it is the same."""

    top: float
    down: float
    left: float
    across: float


def place_evenly(size: tuple[int, int]) -> Placement:
    """Cells of a `size` grid (rows, columns) that part the picture among them: as pixels do."""
    rows, columns = size
    return Placement(0.5 / rows, 1 / rows, 0.5 / columns, 1 / columns)


def place_in_picture(cells: Cells, size: tuple[int, int]) -> Placement:
    """`cells`, in pixels of a picture of `size` (height, width)."""
    height, width = size
    first = cells.offset + 0.5  # pixel 0 has its centre half a pixel from the border
    return Placement(first / height, cells.stride / height, first / width, cells.stride / width)


def find_placements(network: Network, size: tuple[int, int]) -> dict[str, Placement]:
    """By level, of pictures of `size` (height, width) as the network sees them; nothing for a network that has no `cells`,
    whose maps are taken to cover the picture evenly. Raises ValueError where a layer doesn't say where its cells lie.
    """
    cells = find_cells(network, size)
    return {level: place_in_picture(of_level, size) for level, of_level in cells.items()}


def find_cells(network: Network, size: tuple[int, int]) -> Mapping[str, Cells]:
    """By level, in pixels of pictures of `size` (height, width), on which some networks' cells depend."""
    if (cells_in := getattr(network, "cells_in", None)) is not None:
        return cells_in(size)
    return getattr(network, "cells", {})


def pixel_weights(cells: int, first: float, step: float, pixels: int) -> Float[np.ndarray, "pixels cells"]:
    """Along one side, of each cell at each pixel's centre: linear between two cells' centres, beyond the outermost ones
    theirs. Each row sums to 1. With cells that part the picture evenly, bilinear interpolation with half-pixel centres.
    """
    return interpolation_weights((_centres(pixels) - first) / step, cells)


def nearest_cells(cells: int, first: float, step: float, pixels: int) -> Int[np.ndarray, " pixels"]:
    """Along one side, the cell whose centre is nearest to each pixel's; of two that are as near the later one."""
    place = (_centres(pixels) - first) / step + 0.5
    return np.clip(np.floor(place + 1e-9), 0, cells - 1).astype(int)


def overlap_weights(cells: int, first: float, step: float, pixels: int) -> Float[np.ndarray, "cells pixels"]:
    """Along one side, the share that each pixel has of each cell, which is `step` long; what of a cell lies outside the
    picture is no part of it. Each row sums to 1."""
    low, high = (first + step * (np.arange(cells) + side) for side in (-0.5, 0.5))
    edges = np.arange(pixels + 1) / pixels
    shared = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
    shared = np.where(shared > 1e-12, shared, 0)  # less is rounding
    total = shared.sum(1, keepdims=True)
    if not total.all():
        raise ValueError("a cell of the map lies outside the picture")
    return shared / total


def _centres(pixels: int) -> Float[np.ndarray, " pixels"]:
    return (np.arange(pixels) + 0.5) / pixels
