"""Which images are looked at where all would take too long."""

import numpy as np
from jaxtyping import Int


def balanced_sample(labels: Int[np.ndarray, " images"], count: int | None, seed: int) -> Int[np.ndarray, " chosen"]:
    """Positions, sorted, of `count` images drawn by chance with as evenly many of each class as there are.

    All of them where `count` is None or more than there are.
    """
    if count is None or count >= len(labels):
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    ordered = labels[by_class]
    turn = np.arange(len(labels)) - np.searchsorted(ordered, ordered)  # first, second, ... drawn of its class
    return np.sort(by_class[np.argsort(turn, kind="stable")[:count]])


def describe_sample(chosen: int, of: int, what: str) -> str:
    """For a line that is printed: how many were taken."""
    return f"all {of:,} {what}" if chosen == of else f"{chosen:,} of {of:,} {what} (class-balanced)"
