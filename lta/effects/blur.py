"""Pictures out of focus: everywhere, or as much as a map says at each pixel."""

import math

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

LARGEST = 1 / 3
"""Of `sigma`: beyond it the kernel, three standard deviations wide on each side, is longer than the picture."""


def blur(
    images: Shaped[Tensor, "batch 3 height width"], amount: Float[Tensor, "batch height width"], sigma: float
) -> Shaped[Tensor, "batch 3 height width"]:
    """Each pixel mixed with that of the blurred picture: `amount` 0 leaves it as it is, 1 is the full blur.

    `images` are uint8, or floating point of any range; what is returned has the same type. `sigma` is as in
    `apply_gaussian_blur`.
    """
    return mix(images, apply_gaussian_blur(images, sigma), amount)


def apply_gaussian_blur(
    images: Shaped[Tensor, "batch channels height width"], sigma: float
) -> Shaped[Tensor, "batch channels height width"]:
    """The whole picture blurred; beyond its edges it is mirrored.

    `sigma` is the Gaussian's standard deviation as a share of the shorter side, so that one value means the same at any
    size: 0.1 is 3.2 pixels at 32x32. Raises ValueError where it does not lie in (0, 1/3].
    """
    if not 0 < sigma <= LARGEST:
        raise ValueError(f"sigma={sigma} must be a share of the picture's shorter side, above 0 and at most 1/3")
    shorter = min(images.shape[2:])
    pixels = sigma * shorter
    width = 2 * min(math.ceil(3 * pixels), shorter - 1) + 1
    # One axis after the other: the same picture, and at 1000 pixels two orders of magnitude fewer products.
    blurred = _to_float(images)
    for kernel in ([width, 1], [1, width]):
        blurred = gaussian_blur(blurred, kernel, [pixels, pixels])
    return _to_dtype(blurred, images.dtype)


def mix(
    images: Shaped[Tensor, "batch channels height width"],
    others: Shaped[Tensor, "batch channels height width"],
    amount: Float[Tensor, "batch height width"] | Bool[Tensor, "batch height width"],
) -> Shaped[Tensor, "batch channels height width"]:
    """`others` in the share that `amount` (0 to 1, or a mask) says, exactly `images` at 0 and `others` at 1."""
    if amount.dtype == torch.bool:
        return torch.where(amount[:, None], others, images)
    start, end = _to_float(images), _to_float(others)
    return _to_dtype(torch.lerp(start, end, amount[:, None].to(start.dtype)), images.dtype)


def _to_float(images: Tensor) -> Tensor:
    return images if images.is_floating_point() else images.float()


def _to_dtype(images: Tensor, dtype: torch.dtype) -> Tensor:
    return images if dtype.is_floating_point else images.round().clamp(0, 255).to(dtype)
