"""Some rows of an array, chosen without copying them."""

from typing import Any

import numpy as np


class Rows:
    """What `array[index]` would be, for as many arrays as there are ways to cut one: only what is asked for is copied.

    Indexed like the array itself, by one index or by several, and given to numpy like one. `array` may be memory-mapped,
    so that all processes of a machine read one copy; `index` is a vector of positions.
    """

    def __init__(self, array: Any, index: np.ndarray):
        within = isinstance(array, Rows)
        self.array, self.index = (array.array, array.index[index]) if within else (array, index)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.index), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple):
            return self.array[self.index[key]]
        first, *rest = key
        if first is Ellipsis:
            return np.asarray(self)[key]
        return self.array[self.index[first]][(slice(None),) * np.ndim(self.index[first]) + tuple(rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the chosen rows are not next to each other: an array of them must be a copy")
        return self.array[self.index].astype(dtype or self.dtype, copy=False)
