"""Global contrast normalisation and ZCA whitening, which the authors' "whitened" CIFAR files were made with.

Source: those files come from pylearn2 by way of the wide-residual-networks repository (author_spec section 6):
`global_contrast_normalize(X, scale=55.)` of pylearn2/expr/preprocessing.py, then `ZCA()` with its defaults of
pylearn2/datasets/preprocessing.py, fitted to the training images.
"""

import sys
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from lta import checks
from lta.runtime.cache import Cache, cache_folder
from lta.transforms.fitted import State, load_or_measure
from lta.transforms.pictures import ImageArray

LEAST_DIVISOR = 1e-8
LARGEST = 64 * 64
"""Pixels: the matrix then takes 0.6 GB in float32, and several times that, and minutes, while it is made."""
CHUNK = 1000
"""Images; their copy in float64 takes 25 MB at 32x32."""

VERSION = 1  # part of the cache's key: raise it when `fit` would measure something else


class GcnZca(nn.Module):
    """Takes uint8 images, or floats in the same range of 0 to 255, of the size it was fitted to; gives float32.

    Each image, over all its 3 x height x width values: minus their mean, divided by their norm / `scale` (by 1 where
    that is below 1e-8), which leaves the norm `scale`. Then (x - mean) P with P = V diag(1 / sqrt(eig + filter_bias)) V'
    for the mean, the eigenvalues `eig` and the eigenvectors V of the covariance (1/n) of the training images.

    `mean` (height, width, 3) and `matrix` (3 height width, the same) get their sizes from `fit` or `load_state_dict`.
    `cache`: where `fit` keeps what it measured: a folder, None for the user's cache folder, "off" for nowhere.
    """

    def __init__(self, scale: float = 55.0, filter_bias: float = 0.1, cache: Cache = None):
        super().__init__()
        checks.require_number("preprocess.scale", scale, 0, 1e6, without_low=True)
        checks.require_number("preprocess.filter_bias", filter_bias, 1e-6, 1e6)
        self.scale, self.filter_bias = scale, filter_bias
        self.folder = cache_folder(cache, "preprocess.cache")
        self.mean: Tensor
        self.matrix: Tensor
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("matrix", torch.empty(0))

    def fit(self, images: ImageArray) -> None:
        """`images`: uint8 (n, height, width, 3), at most 64x64. A second fit replaces the first."""
        height, width = images.shape[1:3]
        if height * width > LARGEST:
            raise ValueError(
                f"preprocess=gcn_zca can't whiten pictures of {height}x{width}: its matrix grows with the square of the "
                f"pixels, and 64x64 is the most; choose preprocess=standardize or yuv_lcn, or smaller pictures"
            )
        settings = {"version": VERSION, "scale": float(self.scale), "filter_bias": float(self.filter_bias)}
        state = load_or_measure("gcn_zca", settings, images, self.folder, self._mean_and_matrix)
        for name, value in state.items():
            setattr(self, name, value.to(self.mean.device))

    def forward(
        self, images: UInt8[Tensor, "batch 3 height width"] | Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Contrast-normalised and whitened pictures, in float32. Raises ValueError before `fit`, and for another size than
        it was fitted to."""
        if not self.mean.numel():
            raise ValueError("preprocess=gcn_zca is not fitted: call fit(images) or load_state_dict first")
        if images.shape[2:] != self.mean.shape[:2]:
            fitted, given = (f"{height}x{width}" for height, width in (self.mean.shape[:2], images.shape[2:]))
            raise ValueError(f"preprocess=gcn_zca was fitted to pictures of {fitted} and can't take {given}")
        with torch.autocast(images.device.type, enabled=False):  # bf16 would drown the small differences that it enlarges
            pixels = images.permute(0, 2, 3, 1)
            whitened = (self._contrast(pixels.flatten(1).float()) - self.mean.flatten()) @ self.matrix
            return whitened.view(pixels.shape).permute(0, 3, 1, 2)

    def _contrast(self, rows: Float[Tensor, "batch values"]) -> Float[Tensor, "batch values"]:
        # The result does not depend on the first value, but without it the mean of equal values is not exactly theirs.
        rows = rows - rows[:, :1].detach()
        rows = rows - rows.mean(1, keepdim=True)
        divisor = torch.linalg.vector_norm(rows, dim=1, keepdim=True) / self.scale
        return rows / torch.where(divisor < LEAST_DIVISOR, 1.0, divisor)

    def _mean_and_matrix(self, images: ImageArray) -> State:
        """In float64 throughout, which costs a few seconds more; the buffers are float32."""
        size = images[0].size
        total = torch.zeros(size, dtype=torch.float64)
        products = torch.zeros(size, size, dtype=torch.float64)
        silent = not sys.stderr.isatty()
        with tqdm(total=len(images), unit="img", desc="gcn_zca", delay=1, disable=silent) as bar:
            for start in range(0, len(images), CHUNK):
                rows = self._contrast(torch.from_numpy(images[start : start + CHUNK].astype(np.float64)).flatten(1))
                total += rows.sum(0)
                products.addmm_(rows.T, rows)
                bar.update(len(rows))
            bar.set_postfix_str("eigenvectors")
            mean = total / len(images)
            eigenvalues, vectors = torch.linalg.eigh(products / len(images) - torch.outer(mean, mean))
            # Rounding may leave eigenvalues that are 0 (there is always one: GCN takes the mean out) below it.
            matrix = vectors * (eigenvalues.clamp(min=0) + self.filter_bias).rsqrt() @ vectors.T
        return {"mean": mean.float().view(images.shape[1:]), "matrix": matrix.float()}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, buffer in self._buffers.items():
            if buffer is not None and not buffer.numel() and prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=buffer.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
