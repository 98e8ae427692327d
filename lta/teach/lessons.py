"""Pictures and masks as the network is taught by them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from lta import checks
from lta.data.decoding import open_rgb, scale_in_proportion
from lta.data.folder_masks import open_known_mask
from lta.data.masked_pictures import reduce_mask
from lta.measures.placement import Placement, overlap_weights
from lta.teach.pairs import Pair

LARGEST = 2048
"""Pixels of the shorter side: a picture of four times that length then takes some gigabytes."""


def check_size(size: object) -> None:
    """Raises ValueError for what is no size of the pictures' shorter side."""
    checks.require_whole_number("size", size, least=32)
    if size > LARGEST:  # pyright: ignore[reportOperatorIssue] it is a number
        raise ValueError(f"size={size} must be at most {LARGEST} pixels, the pictures' shorter side as the network sees it")


class Lesson(NamedTuple):
    """A picture, scaled as the network sees it, and which of its pixels belong to the object."""

    image: UInt8[Tensor, "3 height width"]
    mask: Bool[Tensor, "height width"]

    def mirror(self) -> "Lesson":
        """The mirror image, with its mask."""
        return Lesson(self.image.flip(2), self.mask.flip(1))


def read_lessons(pairs: Sequence[Pair], size: int, step: int, threshold: float | None) -> Iterator[Lesson]:
    """Each in its own proportions, its shorter side `size` pixels, sides rounded to multiples of `step`.

    Raises DataError for what can't be read, a mask of another size than its picture, one with more than two values (without
    `threshold`), and one that is empty, before or after it is scaled.
    """
    for root, image, mask in pairs:
        drawn = open_known_mask(root, image, mask, threshold, key="threshold", way_out="take it out")
        yield make_lesson(open_rgb(root / image), drawn, size, step)


def make_lesson(picture: Image.Image, mask: Image.Image, size: int, step: int) -> Lesson:
    """`picture` (RGB) in its own proportions, its shorter side `size` pixels, sides rounded to multiples of `step`; `mask`
    has its size, 255 on the object (somewhere) and 0 elsewhere."""
    scaled = scale_in_proportion(picture, size, step)
    covered = np.asarray(reduce_mask(mask, (scaled.height, scaled.width), (0, 0, *mask.size)))
    inside = covered >= 128 if (covered >= 128).any() else covered >= covered.max()
    return Lesson(torch.from_numpy(np.array(scaled)).permute(2, 0, 1), torch.from_numpy(inside))


def average_in_cells(
    mask: Bool[Tensor, "height width"], placement: Placement, cells: tuple[int, int]
) -> Float[Tensor, "rows columns"]:
    """The share of each cell that belongs to the object, in the cells' true place."""
    height, width = mask.shape
    down = overlap_weights(cells[0], placement.top, placement.down, height)
    across = overlap_weights(cells[1], placement.left, placement.across, width)
    return torch.from_numpy(down @ mask.double().numpy() @ across.T).float()
