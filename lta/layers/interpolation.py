"""Linear interpolation between the cells of a map, along one side."""

import numpy as np
from jaxtyping import Float


def interpolation_weights(places: Float[np.ndarray, " places"], cells: int) -> Float[np.ndarray, "places cells"]:
    """Of each of `cells` cells at each of `places`, in steps between cells from the first one's centre: linear between two
    centres, beyond the outermost ones theirs. Each row sums to 1."""
    places = np.clip(places, 0, cells - 1)
    low = np.minimum(places.astype(int), max(0, cells - 2))
    weights = np.zeros((len(places), cells))
    weights[np.arange(len(places)), low] = 1 - (places - low)
    weights[np.arange(len(places)), np.minimum(low + 1, cells - 1)] += places - low
    return weights
