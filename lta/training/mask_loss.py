"""What maps are taught by, beside the labels: masks of the object in some of the pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lta import checks
from lta.protocols import Loss, Network, takes_queries

SMALL = 1e-6


def _compute_bce(scores: Tensor, attn: Tensor, covered: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(scores, covered, reduction="none").mean((1, 2))


def _compute_energy(scores: Tensor, attn: Tensor, covered: Tensor) -> Tensor:
    return 1 - (attn * covered).sum((1, 2)) / attn.sum((1, 2)).clamp(min=SMALL)


def _compute_dice(scores: Tensor, attn: Tensor, covered: Tensor) -> Tensor:
    taken = scores.sigmoid()
    both = (taken * covered).sum((1, 2))
    return 1 - (2 * both + SMALL) / ((taken + covered).sum((1, 2)) + SMALL)


KINDS = {"bce": _compute_bce, "energy": _compute_energy, "dice": _compute_dice}
"""Of each picture a number, 0 or more, from a level's scores and map and the share of each cell that the mask covers."""


class MaskLoss(nn.Module):
    """`weight` times the mean over the batch's masked pictures, and over `levels` (None: all that are learned), of

    - "bce": the binary cross-entropy of the scores with the share of each cell that the mask covers, mean over the cells;
    - "energy": the share of the map's mass that lies beside the mask. It finds the object's middle, and not its borders;
    - "dice": 1 - 2 sum(p m) / sum(p + m), with p the sigmoid of the scores.

    `count`: of how many training pictures the masks are used, evenly many of each class; None: of all that have one.
    """

    def __init__(
        self, weight: float, kind: str = "bce", levels: Sequence[str] | None = None, count: int | None = None
    ) -> None:
        super().__init__()
        checks.require_number("loss.mask", weight, 0, 1e6, without_low=True)
        checks.require_choice("loss.mask_kind", kind, KINDS)
        if count is not None:
            checks.require_whole_number("loss.mask_count", count, least=1)
        named = levels is None or (
            isinstance(levels, Sequence) and not isinstance(levels, str) and len(set(levels)) == len(levels) > 0
        )
        if not named:
            raise ValueError(f"loss.mask_levels={levels} must be a list of different levels, as [A,B], or null")
        self.weight, self.kind, self.count = weight, kind, count
        self.levels = None if levels is None else tuple(map(str, levels))

    def choose_levels(self, network: Network) -> tuple[str, ...]:
        """Those of the network that masks teach; raises ValueError where there is none, or one that can't learn."""
        learned = list_learned_levels(network)
        asked = learned if self.levels is None else self.levels
        if unknown := [level for level in asked if level not in network.levels]:
            there = ", ".join(network.levels) or "none"
            raise ValueError(f"loss.mask_levels: the network has no level {unknown[0]}; its levels are {there}")
        if not network.levels:
            raise ValueError(f"loss.mask={self.weight:g} teaches maps, but this network has none: choose one with attention")
        if fixed := [level for level in asked if level not in learned] or (not learned and network.levels):
            why = getattr(network, "map_kind", "compat=uniform or frozen")
            raise ValueError(
                f"loss.mask={self.weight:g} teaches scores, but those of {', '.join(fixed)} are not learned ({why}): choose "
                "compat=pc, dp, scaled_dp or additive"
            )
        return tuple(asked)

    def forward(
        self,
        scores: Mapping[str, Float[Tensor, "batch _ _"]],
        attn: Mapping[str, Float[Tensor, "batch _ _"]],
        covered: Mapping[str, Float[Tensor, "batch _ _"]],
        known: Bool[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        """The sum over the pictures that are `known`, of the mean over the levels of `covered`; without `weight`."""
        compute = KINDS[self.kind]
        with torch.autocast(known.device.type, enabled=False):
            by_level = [compute(_widen(scores[level]), _widen(attn[level]), share) for level, share in covered.items()]
        return torch.where(known, torch.stack(by_level).mean(0), 0).sum()


def make_mask_loss(weight: float, kind: str, levels: Sequence[str] | None, count: int | None) -> MaskLoss | None:
    """What a loss adds by its settings `mask`, `mask_kind`, `mask_levels` and `mask_count`; None where `weight` is 0. Raises
    ValueError for settings that are then not read."""
    checks.require_number("loss.mask", weight, 0, 1e6)
    asked = {"mask_levels": levels, "mask_count": count}
    if not weight and (unread := [name for name, value in asked.items() if value is not None]):
        raise ValueError(
            f"loss.{unread[0]}={asked[unread[0]]} is not used with loss.mask=0: give loss.mask=1, or another weight"
        )
    return MaskLoss(weight, kind, levels, count) if weight else None


def _widen(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def list_learned_levels(network: Network) -> tuple[str, ...]:
    """Levels whose scores training can change: not those of compat=uniform and frozen, nor maps of another kind."""
    if takes_queries(network):
        return tuple(level for level in network.levels if getattr(network.attention[level].compat, "learned", True))
    return () if hasattr(network, "map_kind") else tuple(network.levels)


def find_mask_loss(loss: Loss) -> MaskLoss | None:
    """What the loss adds for masks; None where masks teach nothing."""
    return getattr(loss, "of_masks", None)


def check_mask_loss(loss: Loss, network: Network, augment: Any) -> None:
    """Raises ValueError where `loss` teaches by masks and the network's maps can't learn, or `augment` can't carry masks."""
    if (of_masks := find_mask_loss(loss)) is None:
        return
    of_masks.choose_levels(network)
    if not isinstance(augment, nn.Identity) and not getattr(augment, "carries_masks", False):
        name = type(augment).__name__
        raise ValueError(
            f"loss.mask={of_masks.weight:g}: augment={name}, with these settings, can't change a mask the way it changes "
            "the picture: choose augment=none, flip, shift, flip_crop, resized_crop or colour_jitter (and augment.cutout=0)"
        )
