"""How sure a figure is: Wilson's interval for a share, bootstrap intervals for means and for differences of pairs."""

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 2000
Z95 = 1.959963984540054


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a share of `hits` in `n`, 95 % by default; (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return float(min(low, share)), float(max(high, share))  # at 0 and 1 they are equal, but for rounding


def share(hits: int, n: int) -> dict[str, Any]:
    """A share in percent as a figure: value, interval, n."""
    low, high = wilson(hits, n)
    return {"value": 100 * hits / n if n else None, "interval": [100 * low, 100 * high], "n": n}


def mean(
    values: Float[np.ndarray, " images"], groups: Int[np.ndarray, " images"] | None = None, seed: int = 0
) -> dict[str, Any]:
    """The mean as a figure: value, 95 % bootstrap interval (percentiles), n.

    `groups`: images with one number are not independent (scenes of one drawing) and are drawn together. NaN stands for
    an image that has no such value: it is left out and not counted.
    """
    values = np.asarray(values, np.float64)
    kept = ~np.isnan(values)
    values = values[kept]
    if not len(values):
        return {"value": None, "interval": [None, None], "n": 0}
    of = np.arange(len(values)) if groups is None else np.unique(groups[kept], return_inverse=True)[1]
    totals, sizes = np.bincount(of, values), np.bincount(of)
    drawn = _drawn(len(sizes), seed)
    low, high = np.percentile((drawn @ totals) / (drawn @ sizes), [2.5, 97.5])
    return {"value": float(values.mean()), "interval": [float(low), float(high)], "n": len(values)}


@lru_cache(2)
def _drawn(count: int, seed: int) -> Float[np.ndarray, "resamples groups"]:
    """How often each group is drawn; kept, since an evaluator asks for hundreds of figures of the same images."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def difference(
    ours: Float[np.ndarray, " images"], others: Float[np.ndarray, " images"],
    groups: Int[np.ndarray, " images"] | None = None, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The mean of the paired differences `ours - others`, as `mean` has it."""
    return mean(np.asarray(ours, np.float64) - np.asarray(others, np.float64), groups, seed)


def means(
    values: Float[np.ndarray, "images figures"], groups: Int[np.ndarray, " images"] | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """`mean` of every column, without NaN: one set of draws for all of them, which is what takes the time."""
    of = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(of)
    totals = np.stack([np.bincount(of, column) for column in np.asarray(values, np.float64).T], 1)
    drawn = _drawn(len(sizes), seed)
    low, high = np.percentile((drawn @ totals) / (drawn @ sizes)[:, None], [2.5, 97.5], axis=0)
    return [
        {"value": float(value), "interval": [float(bottom), float(top)], "n": len(values)}
        for value, bottom, top in zip(np.asarray(values, np.float64).mean(0), low, high, strict=True)
    ]
