"""Test-time augmentation: the logits of a picture averaged over views of it (arXiv 2404.00498)."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

VIEWS = ("one", "mirrored", "shifted")
"""Of a picture itself; of it and its mirror image; of these (weight 1/2) and of both shifted by a pixel to the upper left
and to the lower right (1/4 each), where what comes in at the border is mirrored: airbench94's `infer_mirror_translate`."""

Images = UInt8[Tensor, "batch 3 height width"]


def average_logits(
    network: Callable[[Images], Float[Tensor, "batch classes"]], images: Images, views: str
) -> Float[Tensor, "batch classes"]:
    """Logits in float32. `network`: from pictures to logits."""
    total: Tensor | None = None
    for view, weight in _views(images, views):
        found = weight * network(view).float()
        total = found if total is None else total + found
    assert total is not None
    return total


def _views(images: Images, views: str) -> Iterator[tuple[Images, float]]:
    if views == "one":
        yield images, 1.0
        return
    shifts = ((0, 1.0),) if views == "mirrored" else ((0, 0.5), (-1, 0.25), (1, 0.25))
    for shift, weight in shifts:
        shifted = _shift_images(images, shift) if shift else images
        yield shifted, weight / 2
        yield shifted.flip(3), weight / 2


def _shift_images(images: Images, by: int) -> Images:
    """Each position takes the pixel `by` rows below and `by` columns to the right of it."""
    for dim in (2, 3):
        length = images.shape[dim]
        taken = (torch.arange(length, device=images.device) + by).abs()
        taken = torch.where(taken < length, taken, 2 * (length - 1) - taken)
        images = images.index_select(dim, taken)
    return images
