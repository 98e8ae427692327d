"""Maps brought to a picture's own pixels, and several of them made one."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lta.measures.map_statistics import CONSTANT, distribution
from lta.measures.placement import Placement, pixel_weights, place_evenly


def enlarge_map(
    attn: Float[Tensor, "batch rows columns"], size: tuple[int, int], placement: Placement | None = None
) -> Float[Tensor, "batch height width"]:
    """The map at each pixel of a picture of `size`, linearly between its cells' centres, which lie as `placement` says
    (None: evenly, which is bilinear interpolation with half-pixel centres); float32.

    Interpolated in double precision and rounded back, so that a region without differences stays one to the bit: the
    rounding of float32 would rank its pixels by their place.
    """
    rows, columns = attn.shape[1:]
    if (rows, columns) == size and placement is None:
        return attn.float()
    top, down, left, across = placement or place_evenly((rows, columns))
    vertical, horizontal = (
        torch.from_numpy(pixel_weights(*side)).to(attn.device)
        for side in ((rows, top, down, size[0]), (columns, left, across, size[1]))
    )
    return (vertical @ attn.double() @ horizontal.T).float()


def density(
    attn: Float[Tensor, "batch rows columns"], size: tuple[int, int], placement: Placement | None = None
) -> Float[Tensor, "batch height width"]:
    """`enlarge_map`, scaled to mean 1; what is constant up to rounding, or zero, becomes exactly 1."""
    pixels = enlarge_map(distribution(attn), size, placement)
    low, high = pixels.amin((1, 2), keepdim=True), pixels.amax((1, 2), keepdim=True)
    varies = high - low > CONSTANT * high
    return torch.where(varies, pixels / pixels.mean((1, 2), keepdim=True), 1)


def product(maps: Sequence[Float[Tensor, "batch height width"]]) -> Float[Tensor, "batch height width"]:
    """The maps multiplied, in double precision: small weights don't become zero. A map that is zero everywhere prefers no
    pixel and is left out."""
    result = torch.ones_like(maps[0], dtype=torch.float64)
    for values in maps:
        says_nothing = values.amax((1, 2), keepdim=True) == 0
        result = result * torch.where(says_nothing, 1, values.double())
    return result


COMBINATIONS: Mapping[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "product": product,
    "mean": lambda maps: torch.stack(list(maps)).mean(0),
    "max": lambda maps: torch.stack(list(maps)).amax(0),
}


def combine(maps: Sequence[Float[Tensor, "batch height width"]], how: str) -> Float[Tensor, "batch height width"]:
    """One density of several: their product, mean or max, scaled to mean 1 (a density, as each of `maps` is)."""
    height, width = maps[0].shape[1:]
    return density(COMBINATIONS[how](maps), (height, width))
