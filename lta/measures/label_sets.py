"""What logits say where an image has one class, and where it has several labels or none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

HALF = 0.5
"""The probability from which on an image is said to have a label."""

BETWEEN = "|"
"""Stands between the names of an image's labels in tables."""


def gives_several_labels(of: Any) -> bool:
    """Whether a classifier, a loss or a data module is of several labels an image; of one class, where it does not say."""
    return bool(getattr(of, "several_labels", False))


def compute_probabilities(logits: Float[Tensor, "*batch classes"], several: bool) -> Float[Tensor, "*batch classes"]:
    """In float32: of each label by itself, or of the classes, which sum to 1."""
    return logits.float().sigmoid() if several else logits.float().softmax(-1)


def list_names(has: Shaped[np.ndarray, " classes"] | Sequence[Any], class_names: Sequence[str]) -> list[str]:
    """The names of the labels that an image has, in the order of the classes."""
    return [str(name) for name, there in zip(class_names, has, strict=True) if there]


def join_labels(names: Sequence[str], none: str = "") -> str:
    """As one text."""
    return BETWEEN.join(names) or none
