"""The authors' preprocessing of CIFAR-10 and SVHN: YUV, local contrast normalisation of Y, global one of U and V.

Source: the authors' `provider.lua` (author_spec section 6), with the semantics of Torch7's `image.rgb2yuv`,
`image.gaussian1D(7)` (its sigma, 0.25, is a share of the size) and `nn.SpatialContrastiveNormalization`.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lta.runtime.cache import Cache, cache_folder
from lta.transforms.fitted import State, load_or_measure
from lta.transforms.pictures import ImageArray

RGB_TO_YUV = ((29900, 58700, 11400), (-14713, -28886, 43600), (61500, -51499, -10001))
"""Rows Y, U, V, in units of 1e-5: as whole numbers, grey has exactly no V and one picture's flat area exactly one Y."""
UNIT = 1e-5
TAPS = 7
SIGMA = 0.25 * TAPS
THRESHOLD = 1e-4
"""Of the local standard deviation, in grey values of 0 to 255."""

VERSION = 1  # part of the cache's key: raise it when `fit` would measure something else


class YuvLcn(nn.Module):
    """Takes uint8 images, or floats in the same range of 0 to 255, of any size; gives float32 Y, U, V.

    Y: minus its local mean, divided by its local standard deviation, per image. Both are Gaussian sums over 7x7 pixels
    with zero padding, divided by the weight inside the picture: the mean as it should be, the deviation as Torch7 does
    it, sqrt(sum) / weight instead of sqrt(sum / weight), so that borders come out flatter. Deviations up to 1e-4 are
    replaced by 1e-4. U, V: minus mean, divided by standard deviation (n - 1) over all training pixels, which `fit`
    measures; before that 0 and 1. Y has no global step.

    Flat areas come out 0, as they should: that takes float64, since float32 leaves a rounding error of 1e-5 in the
    local mean, and a division by 1e-4 makes that 0.1. (Apple's GPUs have float32 only.)

    `cache`: where `fit` keeps what it measured: a folder, None for the user's cache folder, "off" for nowhere.
    """

    def __init__(self, cache: Cache = None):
        super().__init__()
        self.folder = cache_folder(cache, "preprocess.cache")
        self.matrix: Tensor
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("matrix", torch.tensor(RGB_TO_YUV, dtype=torch.float32), persistent=False)
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("std", torch.ones(2))

    def fit(self, images: ImageArray) -> None:
        """`images`: uint8 (n, height, width, 3). A channel without any variation keeps std 1."""
        self.load_state_dict(load_or_measure("yuv_lcn", {"version": VERSION}, images, self.folder, _mean_and_std))

    def forward(
        self, images: UInt8[Tensor, "batch 3 height width"] | Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        precise = torch.float32 if images.device.type == "mps" else torch.float64
        with torch.autocast(images.device.type, enabled=False):
            yuv = images.permute(0, 2, 3, 1).to(precise) @ self.matrix.to(precise).T * UNIT
            luma = _local_contrast(yuv[..., 0])
            colour = (yuv[..., 1:] - self.mean) / self.std
            normalised = torch.cat([luma.unsqueeze(-1), colour], dim=-1)
            return normalised.to(self.mean.dtype).permute(0, 3, 1, 2)


def _local_contrast(luma: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch height width"]:
    rows, columns = (_gaussian_sums(length, luma) for length in luma.shape[1:])
    inside = rows.sum(1).unsqueeze(1) * columns.sum(1)
    centred = luma - rows @ luma @ columns.T / inside
    squares = rows @ centred.square() @ columns.T
    # The threshold stands inside the root, whose gradient in flat areas would be infinite.
    return centred / (squares.clamp(min=(THRESHOLD * inside).square()).sqrt() / inside)


def _gaussian_sums(length: int, like: Tensor) -> Float[Tensor, "length length"]:
    """The matrix whose row i weighs the pixels around i; a matrix product beats the convolution several times."""
    position = torch.arange(length, device=like.device, dtype=like.dtype)
    distance = position.unsqueeze(1) - position
    taps = torch.exp(-0.5 * (torch.arange(TAPS, device=like.device, dtype=like.dtype) - TAPS // 2).div(SIGMA).square())
    return torch.exp(-0.5 * (distance / SIGMA).square()) * (distance.abs() <= TAPS // 2) / taps.sum()


def _mean_and_std(images: ImageArray) -> State:
    """Of U and V over all pixels: exact sums of R, G, B and their products, of which U and V are linear combinations."""
    total, products = np.zeros(3, np.int64), np.zeros((3, 3), np.int64)
    count = math.prod(images.shape[:3])
    chunk = max(2**20 // images[0].size, 1)
    for start in range(0, len(images), chunk):
        pixels = images[start : start + chunk].reshape(-1, 3).astype(np.float64)  # whole numbers: its sums are exact
        total += pixels.sum(0).astype(np.int64)
        products += (pixels.T @ pixels).astype(np.int64)
    weights, total, products = (np.array(part, object) for part in (RGB_TO_YUV[1:], total, products))  # never overflow
    scatter = weights @ (count * products - np.outer(total, total)) @ weights.T
    mean = [UNIT * sum_ / count for sum_ in weights @ total]
    variance = [UNIT**2 * sum_ / (count * max(count - 1, 1)) for sum_ in np.diag(scatter)]
    return {
        "mean": torch.tensor(mean, dtype=torch.float32),
        "std": torch.tensor([value**0.5 if value else 1.0 for value in variance], dtype=torch.float32),
    }
