"""Masks of some of a split's pictures."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64

from lta.protocols import Split

MAIN = 2
"""The role of the main object."""


class KnownMasks(NamedTuple):
    """`pixels`: the masks that there are; `rows`: of each picture of the split which of them is its own, -1 where it has
    none. `tokens`: of each mask a number for what was drawn, where it is known."""

    pixels: Bool[np.ndarray, "masks height width"]
    rows: Int[np.ndarray, " pictures"]
    tokens: Int64[np.ndarray, " masks"] | None = None

    def select(self, index: np.ndarray) -> "KnownMasks":
        """Those of the pictures at `index`."""
        return self._replace(rows=self.rows[index])

    @property
    def known(self) -> Int[np.ndarray, " known"]:
        """Positions of the pictures that have one."""
        return np.flatnonzero(self.rows >= 0)

    def get(self, number: int) -> Bool[np.ndarray, "height width"] | None:
        """That of one picture."""
        row = int(self.rows[number])
        return None if row < 0 else self.pixels[row]


def find_masks(split: Split) -> KnownMasks | None:
    """What `split.masks` says, or where the main object of `split.roles` is; None where neither is known."""
    if (masks := getattr(split, "masks", None)) is not None:
        return masks
    if split.roles is None:
        return None
    pixels = np.asarray(split.roles) == MAIN
    there = pixels.any((1, 2))
    return KnownMasks(pixels, np.where(there, np.arange(len(pixels)), -1))
