"""What an attention map looks like in numbers: how spread out, how peaked, how central, how much it moved.

Every function first scales each map to sum 1, which changes nothing for softmax maps and makes sigmoid maps comparable.
A map that is zero everywhere prefers no position and counts as uniform. Maps are non-negative; half precision is
computed in float32. One number per image is returned: NaN where the map has one.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

CONSTANT = 1e-6
"""A map whose values differ by less than this, relative to its maximum, is constant up to float32 rounding."""


def entropy(attn: Float[Tensor, "batch height width"]) -> Float[Tensor, " batch"]:
    """In nats: 0 for all attention on one position, log(height * width) for uniform attention."""
    return torch.special.entr(distribution(attn)).sum((1, 2))


def effective_positions(attn: Float[Tensor, "batch height width"]) -> Float[Tensor, " batch"]:
    """exp(entropy): k for attention shared evenly by k positions; 1 to height * width."""
    return entropy(attn).exp()


def peak(attn: Float[Tensor, "batch height width"]) -> Float[Tensor, " batch"]:
    """The largest weight as a multiple of uniform attention: 1 for uniform, height * width for a single position."""
    return distribution(attn).amax((1, 2)) * attn.shape[1] * attn.shape[2]


def centre_bias(attn: Float[Tensor, "batch height width"]) -> Float[Tensor, " batch"]:
    """Mean distance of the attention from the picture's centre, relative to that of uniform attention.

    sum_i a_i d_i / mean_i d_i, with d_i the Euclidean distance from the middle of cell i to the middle of the map, in
    cells. 1 for uniform attention, below 1 where it keeps to the centre, 0 for all on a central cell, above 1 where it
    keeps to the border. A 1x1 map, where there is no distance, gives 1.
    """
    height, width = attn.shape[1:]
    shares = distribution(attn)
    rows = torch.arange(height, device=attn.device, dtype=shares.dtype) - (height - 1) / 2
    columns = torch.arange(width, device=attn.device, dtype=shares.dtype) - (width - 1) / 2
    distance = torch.hypot(rows[:, None], columns[None, :])
    if height * width == 1:
        return torch.ones_like(shares[:, 0, 0])
    return (shares * distance).sum((1, 2)) / distance.mean()


def agreement(
    map_a: Float[Tensor, "batch height_a width_a"], map_b: Float[Tensor, "batch height_b width_b"]
) -> Float[Tensor, " batch"]:
    """Pearson correlation of two levels' maps over the positions of the finer grid, -1 to 1.

    The coarser map is enlarged bilinearly (half-pixel centres), since its cells are samples of something smooth: blocks
    would lower the correlation for no reason. Where either map is constant there is nothing to agree on: 0.
    """
    height, width = (max(sides) for sides in zip(map_a.shape[1:], map_b.shape[1:], strict=True))
    size = (height, width)
    a, a_varies = _unit_range(_enlarge_map(map_a, size))
    b, b_varies = _unit_range(_enlarge_map(map_b, size))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    scale = a.square().sum(1).sqrt() * b.square().sum(1).sqrt()
    defined = a_varies & b_varies
    correlation = (a * b).sum(1) / torch.where(defined, scale, 1)
    return torch.where(defined, correlation.clamp(-1, 1), 0)


def total_variation(
    attn: Float[Tensor, "batch height width"], previous: Float[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    """The share of attention that lies elsewhere than before, 0 to 1: half the sum of absolute differences."""
    return (distribution(attn) - distribution(previous)).abs().sum((1, 2)) / 2


def _to_full_precision(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def distribution(attn: Tensor) -> Tensor:
    """Each map scaled to sum 1; by its maximum first, so that no sum of tiny or huge values under- or overflows."""
    attn = _to_full_precision(attn)
    largest = attn.amax((1, 2), keepdim=True)
    relative = torch.where(largest == 0, 1, attn / torch.where(largest == 0, 1, largest))
    return relative / relative.sum((1, 2), keepdim=True)


def _enlarge_map(attn: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(_to_full_precision(attn).unsqueeze(1), size, mode="bilinear", align_corners=False).flatten(1)


def _unit_range(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Each row moved and scaled to 0..1, which no correlation notices and float32 needs, and whether it varies."""
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    varies = ~(high - low <= CONSTANT * high.abs())  # so put that a NaN stays one
    return (flat - low) / torch.where(varies, high - low, 1), varies.squeeze(1)
