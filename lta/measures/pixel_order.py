"""In which order a map names the pixels of a picture: ranks with ties broken by chance."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def centrality(size: tuple[int, int]) -> Float[Tensor, "1 height width"]:
    """Minus the squared distance from the picture's middle, in pixels."""
    y, x = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in size)
    return -(y[:, None] ** 2 + x[None, :] ** 2)[None]


def tie_order(images: int, pixels: int, generator: torch.Generator) -> Int[Tensor, "images pixels"]:
    """For each image a random order of its pixels, which decides between equal ones."""
    return torch.rand(images, pixels, generator=generator, dtype=torch.float64).argsort(1)


def ranks(
    values: Float[Tensor, "batch height width"], ties: Int[Tensor, "batch pixels"]
) -> Int[Tensor, "batch height width"]:
    """0 for the highest pixel, then 1, ...; equal ones in the order of `ties`, so that a uniform map ranks by it alone."""
    order = ties.gather(1, values.flatten(1).gather(1, ties).argsort(dim=1, descending=True, stable=True))
    places = torch.arange(order.shape[1]).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places).view_as(values)


def select_highest(ranked: Int[Tensor, "batch height width"], area: float) -> Bool[Tensor, "batch height width"]:
    """The first `area` (0 to 1) of the pixels: as many in every image, to the nearest pixel."""
    return ranked < round(area * ranked[0].numel())


def select_lowest(ranked: Int[Tensor, "batch height width"], area: float) -> Bool[Tensor, "batch height width"]:
    """The last `area` (0 to 1) of the pixels: as many in every image, to the nearest pixel."""
    pixels = ranked[0].numel()
    return ranked >= pixels - round(area * pixels)
