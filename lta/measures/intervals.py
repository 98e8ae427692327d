"""How sure a figure is: Wilson's interval for a share, bootstrap intervals for means and for differences of pairs."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

RESAMPLES = 2000
Z95 = 1.959963984540054
BLOCK = 100  # resamples that are drawn at a time
KEPT = 200_000_000  # bytes: the draws of more images are made anew each time


def wilson(hits: int | float, n: int | float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a share of `hits` in `n`, 95 % by default; (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return float(min(low, share)), float(max(high, share))  # at 0 and 1 they are equal, but for rounding


def share(hit: Bool[np.ndarray, " images"], groups: Int[np.ndarray, " images"] | None = None) -> dict[str, Any]:
    """The share of images that are `hit`, in percent, as a figure: value, 95 % interval (Wilson's), n.

    `groups`: images with one number are not independent (scenes of one drawing); the interval is that of as many
    independent images as would vary as much as the groups do (Korn and Graubard 1998), at most all of them.
    """
    n = len(hit)
    if not n:
        return {"value": None, "interval": [0.0, 100.0], "n": 0}
    value = np.count_nonzero(hit) / n
    counting = n if groups is None else _count_independent(hit, groups)
    low, high = wilson(value * counting, counting)
    return {"value": 100 * value, "interval": [100 * low, 100 * high], "n": n}


def _count_independent(hit: Bool[np.ndarray, " images"], groups: Int[np.ndarray, " images"]) -> float:
    """Where all are hit or none is, nothing tells how alike a group's images are: it counts as one."""
    of = np.unique(groups, return_inverse=True)[1]
    sizes, hits = np.bincount(of), np.bincount(of, hit)
    n, count = len(hit), len(sizes)
    value = hits.sum() / n
    if count == n:
        return float(n)
    if count == 1 or value in (0, 1):
        return float(count)
    of_groups = count / (count - 1) * ((hits - value * sizes) ** 2).sum()
    of_images = n * value * (1 - value)
    return n * min(1.0, of_images / of_groups) if of_groups else float(n)


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
    low, high = _percentiles(np.bincount(of, values)[:, None], np.bincount(of), seed)[:, 0]
    return {"value": float(values.mean()), "interval": [float(low), float(high)], "n": len(values)}


def _percentiles(
    totals: Float[np.ndarray, "groups figures"], sizes: Int[np.ndarray, " groups"], seed: int
) -> Float[np.ndarray, "2 figures"]:
    """Of the resampled means: where 95 % of them begin and end."""
    found = [(drawn @ totals) / (drawn @ sizes)[:, None] for drawn in _get_draws(len(sizes), seed)]
    return np.percentile(np.concatenate(found), [2.5, 97.5], axis=0)


def resample_sums(
    values: Float[np.ndarray, "images columns"], groups: Int[np.ndarray, " images"] | None = None, seed: int = 0
) -> Iterator[Float[np.ndarray, "resamples columns"]]:
    """Sums of each column over the bootstrap's resamples, some resamples at a time; groups are drawn as `mean` draws
    them."""
    of = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    totals = np.stack([np.bincount(of, column) for column in values.T], 1)
    yield from (drawn @ totals for drawn in _get_draws(len(totals), seed))


def _get_draws(count: int, seed: int) -> Iterable[Float[np.ndarray, "resamples groups"]]:
    """How often each group is drawn, some resamples at a time."""
    return _cache_draws(count, seed) if 8 * RESAMPLES * count <= KEPT else _generate_draws(count, seed)


@lru_cache(2)
def _cache_draws(count: int, seed: int) -> list[Float[np.ndarray, "resamples groups"]]:
    """An evaluator asks for hundreds of figures of the same images."""
    return list(_generate_draws(count, seed))


def _generate_draws(count: int, seed: int) -> Iterator[Float[np.ndarray, "resamples groups"]]:
    rng, equal = np.random.default_rng(seed), np.full(count, 1 / count)
    for _ in range(RESAMPLES // BLOCK):
        yield rng.multinomial(count, equal, size=BLOCK).astype(np.float64)


def difference(
    ours: Float[np.ndarray, " images"],
    others: Float[np.ndarray, " images"],
    groups: Int[np.ndarray, " images"] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The mean of the paired differences `ours - others`, as `mean` has it."""
    return mean(np.asarray(ours, np.float64) - np.asarray(others, np.float64), groups, seed)


def means(
    values: Float[np.ndarray, "images figures"], groups: Int[np.ndarray, " images"] | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """`mean` of every column, without NaN: one set of draws for all of them, which is what takes the time."""
    of = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    totals = np.stack([np.bincount(of, column) for column in np.asarray(values, np.float64).T], 1)
    low, high = _percentiles(totals, np.bincount(of), seed)
    return [
        {"value": float(value), "interval": [float(bottom), float(top)], "n": len(values)}
        for value, bottom, top in zip(np.asarray(values, np.float64).mean(0), low, high, strict=True)
    ]
