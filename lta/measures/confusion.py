"""Figures in which each class counts as much as any other, from true and predicted classes."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from lta.measures.intervals import resample_sums, share


class Balanced(NamedTuple):
    """Figures: value, 95 % interval, n. `error` in percent: the mean of the classes' errors, 100 minus the balanced
    accuracy. `f1`, 0 to 1: the mean of the classes' F1 scores (macro), with a bootstrap interval."""

    error: dict[str, Any]
    f1: dict[str, Any]


def measure_balanced(
    labels: Int[np.ndarray, " images"],
    predicted: Int[np.ndarray, " images"],
    classes: int,
    groups: Int[np.ndarray, " images"] | None = None,
    seed: int = 0,
) -> Balanced:
    """Over the classes that have images. The F1 score of a class that is never right is 0.

    The interval of `error` is made of the classes' own (Wilson's, `share`), as of independent samples: each end is as far
    from the mean as the root of the sum of the squares of theirs, over their number (MOVER: Zou and Donner, Statistics in
    Medicine 27, 2008). So it has a width where no image is wrong, or all of a class are; a bootstrap's has none there.
    For F1, images of one group are drawn together, and a class that a resample has not drawn counts in it for nothing.
    """
    kinds = np.arange(classes)
    is_true, is_said = labels[:, None] == kinds, predicted[:, None] == kinds
    there = is_true.any(0)
    columns = np.concatenate([is_true[:, there], (is_true & is_said)[:, there], is_said[:, there]], 1).astype(np.float64)
    whole, *drawn = (_compute_f1(sums) for sums in (columns.sum(0)[None], *resample_sums(columns, groups, seed)))
    low, high = np.nanpercentile(np.concatenate(drawn), [2.5, 97.5])
    f1 = {"value": float(whole[0]), "interval": [float(low), float(high)], "n": len(labels)}
    return Balanced(_measure_error(labels, predicted, groups), f1)


def _measure_error(labels: np.ndarray, predicted: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    wrong = predicted != labels
    of_classes = [
        share(wrong[labels == kind], None if groups is None else groups[labels == kind]) for kind in np.unique(labels)
    ]
    values = np.array([one["value"] for one in of_classes])
    below, above = np.abs(np.array([one["interval"] for one in of_classes]) - values[:, None]).T
    value = float(values.mean())
    ends = [value - np.sqrt((below**2).sum()) / len(values), value + np.sqrt((above**2).sum()) / len(values)]
    return {"value": value, "interval": [max(float(ends[0]), 0.0), min(float(ends[1]), 100.0)], "n": len(labels)}


def _compute_f1(sums: np.ndarray) -> np.ndarray:
    """F1, (resamples,), from sums of (true, right, said) by class."""
    true, right, said = np.split(sums, 3, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(np.where(true > 0, 2 * right / (true + said), np.nan), 1)
