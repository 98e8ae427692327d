"""How unequal classes are, in words."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

FAR = 5
"""How many times the smallest class the largest may be before it is said."""


def add_counts(labels: Int[np.ndarray, " images"], names: Sequence[str]) -> tuple[str, ...]:
    """Each name with its number of images; the names alone where the classes differ by less than a tenth, or have none."""
    counts = np.bincount(labels, minlength=len(names))
    if not counts.any() or counts.max() < 1.1 * counts.min():
        return tuple(names)
    return tuple(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))


def warn_of_imbalance(labels: Int[np.ndarray, " images"], names: Sequence[str]) -> str:
    """A sentence where the largest class has more than `FAR` times the images of the smallest; else ""."""
    counts = np.bincount(labels, minlength=len(names))
    small, large = int(counts.argmin()), int(counts.argmax())
    if not counts.any() or counts[large] <= FAR * counts[small]:
        return ""
    return (
        f"classes are unequal: {counts[small]:,} training images of {names[small]}, {counts[large]:,} of {names[large]}. "
        "The error hides how small classes fare: look at val/balanced_error; loss.class_weights=balanced may lower it"
    )
