"""From a map of a few cells to how much each pixel of a picture is attended, 0 to 1."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from lta.checks import require_package, require_share
from lta.effects.blur import apply_gaussian_blur

WORKING = 4_000_000
"""Pixels: edges of larger pictures are followed on a smaller copy, whose pixel is 2.4 of a photograph's of 24 megapixels."""


LOW, HIGH = 0.5, 0.95
"""Quantiles of a map, where nothing else is asked for."""


def stretch_values(
    values: Float[Tensor, "rows columns"], low: float = LOW, high: float = HIGH
) -> tuple[Float[Tensor, "rows columns"], bool]:
    """0 up to the quantile `low` of the values, 1 from the quantile `high`, and straight between; and whether it says
    anything: of values that are all alike, or alike from `low` to `high`, it is 1 everywhere.

    Raises ValueError where not 0 <= low < high <= 1.
    """
    require_share("low", low)
    require_share("high", high)
    if low >= high:
        raise ValueError(
            f"low={low} must be below high={high}: quantiles of the map at which nothing and everything is attended"
        )
    ends = torch.quantile(values.flatten().double(), torch.tensor([low, high], dtype=torch.float64))
    start, end = ends.tolist()
    if end - start <= 1e-6 * abs(end):
        return torch.ones_like(values), False
    return ((values.double() - start) / (end - start)).clamp_(0, 1).float(), True


def stretch_range(
    values: Float[Tensor, "rows columns"], ends: tuple[float, float]
) -> tuple[Float[Tensor, "rows columns"], bool]:
    """The same where `ends` are shares of the values' range, from their least (0) to their greatest (1): how much of the
    picture is attended is then for the map to say."""
    start, end = (float(values.min() + share * (values.max() - values.min())) for share in ends)
    if end - start <= 1e-6 * abs(end):
        return torch.ones_like(values), False
    return ((values.double() - start) / (end - start)).clamp_(0, 1).float(), True


def fit_mask_to_image(
    mask: Float[Tensor, "rows columns"],
    picture: UInt8[Tensor, "3 height width"],
    edges: float = 0.05,
    feather: float = 0.0,
) -> Float[Tensor, "height width"]:
    """`mask` enlarged over the whole picture, its borders drawn to the picture's own within `edges`, then softened.

    `edges`: how far a border may move, as a share of the shorter side; 0 leaves it where it is. It is done by a guided
    filter (He, Sun and Tang 2010) with the colours as guide. `feather`: the softening's width, in the same measure.
    """
    for key, value in (("edges", edges), ("feather", feather)):
        if not isinstance(value, (int, float)) or not 0 <= value <= 1 / 3:
            raise ValueError(f"{key}={value} must be a share of the picture's shorter side, from 0 to 1/3")
    height, width = picture.shape[1:]
    smaller = max(1.0, math.sqrt(height * width / WORKING))
    size = (max(1, round(height / smaller)), max(1, round(width / smaller)))
    if tuple(mask.shape) == (height, width) and not edges and not feather:
        return mask
    mask = _resize_mask(mask, size)
    if edges:
        mask = _apply_guided_filter(mask, _resize_image(picture, size), edges * min(size))
    if feather and min(size) > 1:
        mask = apply_gaussian_blur(mask[None, None], feather)[0, 0].clamp_(0, 1)
    return _resize_mask(mask, (height, width))


def _apply_guided_filter(mask: Tensor, picture: Tensor, reach: float) -> Tensor:
    require_package("kornia", "edges above 0", "pip install kornia, or edges=0 leaves borders where they are")
    # Imported here: it takes half a second, and masks that are exact need none of it.
    from kornia.filters import guided_blur

    side = 2 * max(1, round(reach)) + 1
    subsample = max(1, side // 16)
    if min(mask.shape) <= 2 * side:  # its reflecting border is as wide as the window
        side = min(side, max(1, (min(mask.shape) - 1) // 2 * 2 - 1))
        subsample = 1
    filtered = guided_blur(picture[None], mask[None, None], side, SMOOTH, subsample=subsample, separable=True)
    return filtered[0, 0].clamp_(0, 1)


SMOOTH = 1e-3
"""The guided filter's epsilon, of colours from 0 to 1: what varies less than 3 % counts as flat."""


def _resize_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(mask.shape) == size:
        return mask
    smaller = size[0] < mask.shape[0] or size[1] < mask.shape[1]
    return F.interpolate(mask[None, None], size, mode="bilinear", align_corners=False, antialias=smaller)[0, 0].clamp_(0, 1)


def _resize_image(picture: Tensor, size: tuple[int, int]) -> Float[Tensor, "3 height width"]:
    if tuple(picture.shape[1:]) != size:
        picture = F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    return picture.float() / 255
