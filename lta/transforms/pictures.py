"""What preprocessing is measured on."""

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class ImageArray(Protocol):
    """uint8 (n, height, width, 3): an array, or what is indexed like one because it is too large to be copied."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> np.ndarray: ...
