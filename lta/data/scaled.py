"""Pictures of a data set at another size than its own, scaled when they are asked for."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from lta.data.rows import Rows


class Scaled:
    """`images`, uint8 (n, height, width, 3), each scaled to `size` (height, width): bilinear, antialiased, rounded.

    Indexed like an array, by one index or by several, and given to numpy like one. Only what is asked for is scaled, so that
    it takes the memory of the pictures as they are.
    """

    def __init__(self, images: Any, size: tuple[int, int]):
        self.images, self.size = images, size

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.images), *self.size, 3)

    @property
    def dtype(self) -> np.dtype:
        return self.images.dtype

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple):
            return self._scale(np.asarray(self.images[key]))
        first, *rest = key
        if first is Ellipsis:
            return np.asarray(self)[key]
        chosen = self._scale(np.asarray(self.images[first]))
        return chosen[(slice(None),) * (chosen.ndim - 3) + tuple(rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the pictures are scaled when they are read: an array of them must be a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def _scale(self, chosen: np.ndarray) -> np.ndarray:
        """The last three axes are a picture's."""
        if not len(chosen):
            return np.empty((*chosen.shape[:-3], *self.size, 3), np.uint8)
        pictures = torch.from_numpy(np.array(chosen).reshape(-1, *chosen.shape[-3:])).permute(0, 3, 1, 2)
        scaled = functional.interpolate(pictures, self.size, mode="bilinear", antialias=True, align_corners=False)
        return scaled.permute(0, 2, 3, 1).contiguous().numpy().reshape(*chosen.shape[:-3], *self.size, 3)


def find_stored(images: Any) -> tuple[Any, tuple[int, int]]:
    """The pictures as they are kept, and the size (height, width) at which `images` shows them."""
    if isinstance(images, Scaled):
        return images.images, images.size
    if isinstance(images, Rows) and isinstance(images.array, Scaled):
        return Rows(images.array.images, images.index), images.array.size
    height, width = images.shape[1:3]
    return images, (height, width)
