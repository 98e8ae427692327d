"""How well a score ranks the pictures of a class before the others: AUROC and average precision, with intervals."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

MOST, LEAST = 500, 100
"""Resamples: fewer than of means, since each takes a pass over all images for each class."""

BUDGET = 10**8
"""Images times classes times resamples, where that leaves enough of these: seconds."""

BLOCK = 50


class Ranking(NamedTuple):
    """Figures: value, 95 % bootstrap interval (percentiles), n. None in the place of a number where all images are of the
    class, or none is."""

    auroc: dict[str, Any]
    average_precision: dict[str, Any]


def rank_classes(
    scores: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"] | Bool[np.ndarray, "images classes"],
    groups: Int[np.ndarray, " images"] | None = None,
    seed: int = 0,
) -> tuple[list[Ranking], Ranking]:
    """Of each class against the rest, and the mean over the classes that have both kinds of images (macro). `labels` are
    classes, or say of each class whether an image has it.

    There is at least one image. Images of one group are drawn together. Equal scores count half in the AUROC, and are one
    step of precision and recall.
    """
    of = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    resamples = min(MOST, max(LEAST, BUDGET // max(1, scores.size)))
    weights = np.concatenate([np.ones((1, len(labels)), np.float32), *_draw_weights(of, resamples, seed)])
    found = [_measure(scores[:, k], select_class(labels, k), weights) for k in range(scores.shape[1])]
    there = [pair for pair in found if np.isfinite(pair[0][0])]
    macro = tuple(np.mean([pair[which] for pair in there], 0) if there else np.array([np.nan]) for which in (0, 1))
    n = len(labels)
    return [Ranking(*(_estimate(values, n) for values in pair)) for pair in found], Ranking(
        *(_estimate(values, n) for values in macro)
    )


def select_class(
    labels: Int[np.ndarray, " images"] | Bool[np.ndarray, "images classes"], k: int
) -> Bool[np.ndarray, " images"]:
    """Which images are of class k, or have that label."""
    return labels[:, k] if labels.ndim == 2 else labels == k


def _draw_weights(
    of: Int[np.ndarray, " images"], resamples: int, seed: int
) -> Iterator[Float[np.ndarray, "resamples images"]]:
    count = int(of.max()) + 1
    rng, equal = np.random.default_rng(seed), np.full(count, 1 / count)
    for _ in range(resamples // BLOCK):
        yield rng.multinomial(count, equal, size=BLOCK).astype(np.float32)[:, of]


def _measure(
    scores: Float[np.ndarray, " images"], is_class: Bool[np.ndarray, " images"], weights: Float[np.ndarray, "draws images"]
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """AUROC and average precision under each row of weights; NaN where one kind is lacking."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, of_class = scores[order], is_class[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])  # of equal scores
    found = []
    for begin in range(0, len(weights), BLOCK):
        drawn = weights[begin : begin + BLOCK, order].astype(np.float64)
        positive = np.add.reduceat(drawn * of_class, starts, axis=1)
        negative = np.add.reduceat(drawn * ~of_class, starts, axis=1)
        above_positive, above_negative = positive.cumsum(1), negative.cumsum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            all_positive, all_negative = above_positive[:, -1], above_negative[:, -1]
            pairs = (negative * (above_positive - positive / 2)).sum(1) / (all_positive * all_negative)
            taken = above_positive + above_negative
            precision = np.divide(above_positive, taken, out=np.zeros_like(taken), where=taken > 0)
            found.append((pairs, (positive * precision).sum(1) / all_positive))
    auroc, precision = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return auroc, np.where(np.isfinite(auroc), precision, np.nan)


def _estimate(values: Float[np.ndarray, " draws"], n: int) -> dict[str, Any]:
    """`values`: the figure itself, then those of the resamples, some of which may have lacked the class."""
    if not np.isfinite(values[0]):
        return {"value": None, "interval": [None, None], "n": n}
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return {"value": float(values[0]), "interval": [float(low), float(high)], "n": n}
