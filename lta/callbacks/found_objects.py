"""How well maps find the objects of the validation pictures whose masks are known: sums that processes can add."""

from collections.abc import Mapping

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lta.data.known_masks import KnownMasks, find_masks
from lta.measures.localisation import THRESHOLDS, energy, halves, iou_by_threshold, pointing
from lta.measures.pixel_maps import density
from lta.measures.placement import Placement
from lta.protocols import Split

COLUMNS = len(THRESHOLDS) + 3
"""IoU at each threshold, pointing, energy, and 1 for each picture."""


def find_shown_masks(pl_module: pl.LightningModule, split: Split) -> KnownMasks | None:
    """Masks of the pictures of `split`, where masks teach the maps or the data set has masks of some pictures.

    Of others, whose objects are known by what they are made of, a run shows nothing.
    """
    if getattr(pl_module, "masks", None) is None and getattr(split, "masks", None) is None:
        return None
    return find_masks(split)


class FoundObjects:
    """Of pictures of `split` at the positions `known`, whose masks `masks` holds, bool (known, height, width).

    Each level's threshold for the IoU is the one that is best on the other half of the pictures.
    """

    def __init__(
        self,
        split: Split,
        masks: np.ndarray,
        known: Int[np.ndarray, " known"],
        levels: tuple[str, ...],
        placements: Mapping[str, Placement],
    ):
        self.levels, self.placements = levels, placements
        sources = None if split.sources is None else split.sources[known]
        self._row = np.full(len(split.labels), -1)
        self._row[known] = np.arange(len(known))
        self._masks = torch.from_numpy(np.asarray(masks))
        self._half = halves(len(known), sources, seed=0).astype(int)
        self.sums = torch.zeros(len(levels), 2, COLUMNS, dtype=torch.float64)

    def add(self, numbers: Int[Tensor, " batch"], attn: Mapping[str, Float[Tensor, "batch _ _"]]) -> None:
        """Maps of the pictures `numbers`."""
        rows = self._row[numbers.cpu().numpy()]
        there = np.flatnonzero(rows >= 0)
        if not len(there):
            return
        rows, kept = rows[there], torch.from_numpy(there)
        masks = self._masks[torch.from_numpy(rows)]
        height, width = masks.shape[1:]
        for place, level in enumerate(self.levels):
            pixels = density(attn[level].detach().float().cpu()[kept], (height, width), self.placements.get(level))
            iou, _ = iou_by_threshold(pixels, masks)
            columns = torch.cat(
                [
                    torch.from_numpy(iou),
                    torch.stack([pointing(pixels, masks), energy(pixels, masks), torch.ones(len(masks))], 1).double(),
                ],
                1,
            )
            self.sums[place].index_add_(0, torch.from_numpy(self._half[rows]), columns)

    def summarise(self, sums: Float[Tensor, "levels 2 columns"]) -> dict[str, float]:
        """By the name that it is logged as: `val/iou/<level>`, `val/pointing/<level>`, `val/energy/<level>`, 0 to 1, and
        `val/iou`, that of the level where it is highest."""
        found: dict[str, float] = {}
        for level, halves_sums in zip(self.levels, sums, strict=True):
            by_threshold, rest = halves_sums[:, : len(THRESHOLDS)], halves_sums[:, len(THRESHOLDS) :].sum(0)
            best = by_threshold.argmax(1).flip(0)  # each half's threshold is the other's best
            found[f"val/iou/{level}"] = float(by_threshold.gather(1, best.unsqueeze(1)).sum() / rest[2])
            found[f"val/pointing/{level}"] = float(rest[0] / rest[2])
            found[f"val/energy/{level}"] = float(rest[1] / rest[2])
        return {"val/iou": max(found[f"val/iou/{level}"] for level in self.levels), **found}
