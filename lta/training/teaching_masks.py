"""The masks of the training pictures, taken by the pictures' numbers and brought to the cells of maps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lta.data.errors import DataError
from lta.data.known_masks import KnownMasks, find_masks
from lta.data.splits import balanced_choice
from lta.measures.placement import Placement, find_placements, overlap_weights, place_evenly
from lta.protocols import Network, Split
from lta.training.mask_loss import MaskLoss


class TeachingMasks:
    """`masks` of the training pictures of a split; `levels` are those that they teach, `placements` where their cells lie.

    They lie on the device of the first pictures that ask for them, a byte a pixel: nothing is read back in a step.
    """

    def __init__(self, masks: KnownMasks, levels: tuple[str, ...], placements: Mapping[str, Placement]):
        self.levels, self.placements = levels, placements
        self.count = len(masks.known)
        nothing = np.zeros((1, *masks.pixels.shape[1:]), bool)
        used = masks.pixels[masks.rows[masks.known]]
        self._rows = torch.full((len(masks.rows),), self.count)
        self._rows[torch.from_numpy(masks.known)] = torch.arange(self.count)
        self._pixels = torch.from_numpy(np.concatenate([used, nothing]))
        self._weights: dict[tuple[str, int, int], tuple[Tensor, Tensor]] = {}

    def take(
        self, numbers: Int[Tensor, " batch"], device: torch.device
    ) -> tuple[Float[Tensor, "batch height width"], Bool[Tensor, " batch"]]:
        """Of the pictures `numbers` the masks, 0 or 1, zeros where there is none; and which have one."""
        if self._pixels.device != device:
            self._pixels, self._rows = self._pixels.to(device), self._rows.to(device)
        rows = self._rows[numbers.to(device)]
        return self._pixels[rows].float(), rows < self.count

    def cover(
        self, masks: Float[Tensor, "batch height width"], maps: Mapping[str, Float[Tensor, "batch _ _"]]
    ) -> dict[str, Float[Tensor, "batch _ _"]]:
        """By level taught the share of each of its cells that the mask covers, 0 to 1, in the precision of its map; what of
        a cell lies outside the picture is no part of it."""
        found = {}
        for level in self.levels:
            rows, columns = maps[level].shape[1:]
            vertical, horizontal = self._find_weights(level, (rows, columns), masks)
            with torch.autocast(masks.device.type, enabled=False):
                share = vertical @ masks @ horizontal.T
            found[level] = share.double() if maps[level].dtype == torch.float64 else share
        return found

    def _find_weights(self, level: str, size: tuple[int, int], masks: Tensor) -> tuple[Tensor, Tensor]:
        if (level, *size) not in self._weights:
            top, down, left, across = self.placements.get(level) or place_evenly(size)
            sides = ((size[0], top, down, masks.shape[1]), (size[1], left, across, masks.shape[2]))
            vertical, horizontal = (torch.from_numpy(overlap_weights(*side)).to(masks) for side in sides)
            self._weights[level, *size] = vertical, horizontal
        return self._weights[level, *size]


def choose_teaching_masks(of_masks: MaskLoss, network: Network, train: Split) -> TeachingMasks:
    """Those of the training pictures that the loss uses. Raises DataError where there are not so many."""
    masks = find_masks(train)
    there = 0 if masks is None else len(masks.known)
    if masks is None or not there:
        raise DataError(
            f"loss.mask={of_masks.weight:g} needs masks of training pictures, but the data have none: data=digit_scenes has "
            "them, data=image_folder takes a folder masks/ (data.masks)"
        )
    if of_masks.count is not None:
        if of_masks.count > there:
            raise DataError(f"loss.mask_count={of_masks.count}: only {there} training pictures have a mask")
        chosen = masks.known[balanced_choice(train.labels[masks.known], of_masks.count)]
        rows = np.full_like(masks.rows, -1)
        rows[chosen] = masks.rows[chosen]
        masks = masks._replace(rows=rows)
    height, width = train.images.shape[1:3]
    return TeachingMasks(masks, of_masks.choose_levels(network), find_placements(network, (height, width)))


def carry_masks(augment: Any, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures and their masks after the same change; `check_mask_loss` comes first."""
    return (images, masks) if isinstance(augment, nn.Identity) else augment.carry(images, masks)
