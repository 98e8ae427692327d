"""How much a map changes when something else does: what moved, whether its pattern stayed, and its derivative."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from lta.measures.map_statistics import CONSTANT, agreement, total_variation


class MapChange(NamedTuple):
    """Of each image. `tv`: the share of the attention that lies elsewhere, 0 to 1. `correlation` (Pearson) and
    `rank_correlation` (Spearman), -1 to 1: NaN where either map is the same at all positions. `total`: the change of the
    sum over positions relative to the sum before, 0 for softmax maps up to rounding."""

    tv: Float[Tensor, " batch"]
    correlation: Float[Tensor, " batch"]
    rank_correlation: Float[Tensor, " batch"]
    total: Float[Tensor, " batch"]


def map_change(before: Float[Tensor, "batch rows columns"], after: Float[Tensor, "batch rows columns"]) -> MapChange:
    """Of two maps of the same picture each; see `MapChange`."""
    defined = _varies(before) & _varies(after)
    sums = before.sum((1, 2))
    return MapChange(
        total_variation(after, before),
        torch.where(defined, agreement(before, after), torch.nan),
        torch.where(defined, agreement(_ranks(before), _ranks(after)), torch.nan),
        (after.sum((1, 2)) - sums).abs() / sums,
    )


def gain(
    read: Callable[[Tensor], dict[str, Tensor]],
    at: Float[Tensor, "batch channels"],
    direction: Float[Tensor, "batch channels"],
) -> dict[str, Tensor]:
    """The relative change of each map that `read(at)` returns, per relative change of `at` along `direction`.

    By image and for an infinitesimal step: |d map / d at . direction| / |map| * |at| / |direction|, Euclidean norms. 1
    says that a step of 1 % of the vector's length changes the map by 1 % of its own; 0 where `at` is zero.
    """
    step = direction * (at.norm(dim=1, keepdim=True) / direction.norm(dim=1, keepdim=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, about how it compiles its derivatives
        maps, tangents, *_ = torch.func.jvp(read, (at,), (step,))
    return {name: tangents[name].flatten(1).norm(dim=1) / maps[name].flatten(1).norm(dim=1) for name in maps}


def _ranks(attn: Tensor) -> Tensor:
    ranked = rankdata(attn.flatten(1).cpu().numpy(), axis=1)
    return torch.from_numpy(ranked).to(attn.device, torch.float32).view_as(attn)


def _varies(attn: Tensor) -> Tensor:
    low, high = attn.amin((1, 2)), attn.amax((1, 2))
    return high - low > CONSTANT * high
