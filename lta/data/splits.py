"""Cutting a validation set out of the training set."""

import numpy as np


def stratified_split(labels: np.ndarray, held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (kept, held out), both sorted: `held_out` images drawn with each class in its share of the whole.

    Shares are rounded by largest remainder, so that the count is exact. Raises ValueError where `held_out` is negative
    or leaves nothing to train on.
    """
    if not 0 <= held_out < len(labels):
        raise ValueError(f"val_size={held_out} must lie between 0 and {len(labels) - 1}: there are {len(labels)} images")
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * held_out / len(labels)
    quota = np.floor(shares).astype(int)
    for position in np.argsort(quota - shares, kind="stable")[: held_out - quota.sum()]:
        quota[position] += 1
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:q] for c, q in zip(classes, quota, strict=True)]
    is_held_out = np.zeros(len(labels), dtype=bool)
    is_held_out[np.concatenate(chosen)] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
