"""From uint8 pictures to what a network sees."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lta.transforms.pictures import ImageArray


class Standardize(nn.Module):
    """(x - mean) / std per channel, both measured on the training images by `fit` and kept as buffers.

    Takes uint8 images, or floats in the same range of 0 to 255 (attacks need the gradient), and gives float32.
    """

    def __init__(self):
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.full((3,), 127.5))
        self.register_buffer("std", torch.full((3,), 64.0))

    def fit(self, images: ImageArray) -> None:
        """`images`: uint8 (n, height, width, 3). A channel without any variation keeps std 1."""
        counts = np.zeros((3, 256), np.int64)
        for start in range(0, len(images), 1000):  # in parts: bincount makes eight bytes of each
            part = images[start : start + 1000]
            counts += np.stack([np.bincount(part[..., c].ravel(), minlength=256) for c in range(3)])
        values = np.arange(256)
        mean = counts @ values / counts.sum(1)
        variance = counts @ values**2 / counts.sum(1) - mean**2
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.where(variance > 0, np.sqrt(variance.clip(min=0)), 1.0)))

    def forward(
        self, images: UInt8[Tensor, "batch 3 height width"] | Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Pictures of 0 to 255, minus each channel's mean, divided by its standard deviation."""
        return (images - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)
