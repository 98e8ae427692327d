"""Figures in which each class counts as much as any other, from true and predicted classes."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from lta.measures.intervals import resample_sums


class Balanced(NamedTuple):
    """Figures: value, 95 % bootstrap interval, n. `error` in percent: the mean of the classes' errors, 100 minus the
    balanced accuracy. `f1`, 0 to 1: the mean of the classes' F1 scores (macro)."""

    error: dict[str, Any]
    f1: dict[str, Any]


def measure_balanced(
    labels: Int[np.ndarray, " images"],
    predicted: Int[np.ndarray, " images"],
    classes: int,
    groups: Int[np.ndarray, " images"] | None = None,
    seed: int = 0,
) -> Balanced:
    """Over the classes that have images. Images of one group are drawn together; a class that a resample has not drawn
    counts in it for nothing. The F1 score of a class that is never right is 0."""
    kinds = np.arange(classes)
    is_true, is_said = labels[:, None] == kinds, predicted[:, None] == kinds
    there = is_true.any(0)
    columns = np.concatenate([is_true[:, there], (is_true & is_said)[:, there], is_said[:, there]], 1).astype(np.float64)
    whole, *drawn = (_compute(sums) for sums in (columns.sum(0)[None], *resample_sums(columns, groups, seed)))
    resampled = np.concatenate(drawn)
    low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
    figures = (
        {"value": float(v), "interval": [float(a), float(b)], "n": len(labels)}
        for v, a, b in zip(whole[0], low, high, strict=True)
    )
    return Balanced(*figures)


def _compute(sums: np.ndarray) -> np.ndarray:
    """Error and F1, (resamples, 2), from sums of (true, right, said) by class."""
    true, right, said = np.split(sums, 3, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = 100 * (1 - np.nanmean(right / true, 1))
        f1 = np.nanmean(np.where(true > 0, 2 * right / (true + said), np.nan), 1)
    return np.stack([error, f1], 1)
