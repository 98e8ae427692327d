"""Each class against the rest: its error, how well it is ranked, and how it is told apart at a threshold."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lta.evaluators.table import flatten_estimate
from lta.measures.intervals import share
from lta.measures.label_sets import HALF
from lta.measures.ranking import rank_classes, select_class

OF_RANK = ("auroc", "average_precision")


class Scored(NamedTuple):
    """Images with their classes, or of each label whether they have it, and the probability of each. `groups`: see
    `lta.measures.intervals.share`."""

    labels: Int[np.ndarray, " images"] | Bool[np.ndarray, "images classes"]
    probabilities: Float[np.ndarray, "images classes"]
    groups: Int[np.ndarray, " images"] | None = None


def measure_classes(
    test: Scored, val: Scored | None, names: list[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """By name, of the classes that have test images: `error`, `auroc`, `average_precision`, and `sensitivity` and
    `specificity` in percent, at a probability of 0.5 (`at_half`) and at the `threshold` that tells the class apart best on
    `val` (Youden's index), where that has images of it; then AUROC and average precision as means over the classes. Of a
    label `error` is the share of images of which it is not said rightly whether they have it."""
    several = test.labels.ndim == 2
    wrong = (test.probabilities >= HALF) != test.labels if several else test.probabilities.argmax(1) != test.labels
    ranked, macro = rank_classes(test.probabilities, test.labels, test.groups)
    found = {}
    for k, name in enumerate(names):
        of_class = select_class(test.labels, k)
        if not of_class.any():
            continue
        threshold = None if val is None else choose_threshold(val.probabilities[:, k], select_class(val.labels, k))
        found[name] = {
            "error": share(wrong[:, k], test.groups)
            if several
            else share(wrong[of_class], None if test.groups is None else test.groups[of_class]),
            **ranked[k]._asdict(),
            "at_half": _tell_apart(test, k, HALF),
            "threshold": threshold,
            "at_threshold": None if threshold is None else _tell_apart(test, k, threshold),
        }
    return found, macro._asdict()


def choose_threshold(scores: Float[np.ndarray, " images"], of_class: Bool[np.ndarray, " images"]) -> float | None:
    """The lowest score that still counts as the class, where sensitivity and specificity have the largest sum; of several
    the highest. None where images of either kind are lacking."""
    if of_class.all() or not of_class.any():
        return None
    order = np.argsort(-scores, kind="stable")
    hits, alarms = np.cumsum(of_class[order]) / of_class.sum(), np.cumsum(~of_class[order]) / (~of_class).sum()
    last = np.flatnonzero(np.r_[scores[order][1:] != scores[order][:-1], True])  # of equal scores
    return float(scores[order][last[np.argmax((hits - alarms)[last])]])


def _tell_apart(test: Scored, k: int, threshold: float) -> dict[str, dict[str, Any]]:
    said, of_class = test.probabilities[:, k] >= threshold, select_class(test.labels, k)

    def estimate(hit: Bool[np.ndarray, " images"], of: Bool[np.ndarray, " images"]) -> dict[str, Any]:
        return share(hit[of], None if test.groups is None else test.groups[of])

    return {"sensitivity": estimate(said, of_class), "specificity": estimate(~said, ~of_class)}


def make_row(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """A class's, or with `name` "all" that of all images, which has no thresholds."""
    row = {"class": name, **flatten_estimate(figures["error"], "error"), "n": figures["error"]["n"]}
    for key in OF_RANK:
        row |= flatten_estimate(figures[key], key, f"{key}_low", f"{key}_high")
    row["threshold"] = figures.get("threshold")
    for where in ("at_half", "at_threshold"):
        for key in ("sensitivity", "specificity"):
            found = (figures.get(where) or {}).get(key)
            row |= flatten_estimate(found, f"{key}_{where}", f"{key}_{where}_low", f"{key}_{where}_high")
    return row
