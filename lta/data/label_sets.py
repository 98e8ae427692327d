"""Labels of pictures that have one class each, (n,), or several labels, (n, classes) of 0 and 1: what both are asked for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64, UInt8

from lta.data.contents import make_digest
from lta.data.errors import DataError
from lta.protocols import Split, Splits

Labels = Int[np.ndarray, " images"] | UInt8[np.ndarray, "images classes"]

PARTS = ("train", "val", "test")


def has_several(labels: np.ndarray) -> bool:
    """Whether pictures have several labels each."""
    return labels.ndim == 2


def count_labels(labels: Labels, classes: int) -> Int64[np.ndarray, " classes"]:
    """How many pictures have each of them."""
    return labels.sum(0, dtype=np.int64) if has_several(labels) else np.bincount(labels, minlength=classes)


def number_label_sets(labels: Labels) -> Int[np.ndarray, " images"]:
    """A number for each set of labels, so that pictures with the same set are of one kind; classes as they are."""
    if not has_several(labels):
        return labels
    packed = np.packbits(labels, axis=1)
    return np.unique(packed, axis=0, return_inverse=True)[1].reshape(-1)


def digest_labels(data: Splits) -> str | None:
    """Of the labels of all pictures, where they have several: a table may be changed while the pictures stay as they are."""
    splits = [split for part in PARTS if (split := getattr(data, part, None)) is not None and len(split.labels)]
    if not splits or not has_several(splits[0].labels):
        return None
    names = np.concatenate([_get_names(split) for split in splits])
    rows = np.concatenate([split.labels for split in splits])
    order = np.argsort(names, kind="stable")
    return make_digest(names[order].tobytes() + rows[order].tobytes()).hex()


def _get_names(split: Split) -> Int64[np.ndarray, " images"]:
    ids = getattr(split, "ids", None)
    assert ids is not None, "pictures with several labels are files"
    return ids[:, 0]


def check_same_labels(written: str | None, data: Splits) -> None:
    """Raises DataError where a run that is gone on with was begun with other labels."""
    if written is not None and written != digest_labels(data):
        raise DataError("the labels have changed since the run began: put the table back as it was, or start a new run")


def describe_change(written: str | None, data: Splits) -> str:
    """What to say of labels that have changed since training; "" where they have not, or nothing is known."""
    found = digest_labels(data)
    changed = written is not None and found is not None and written != found
    return "the labels have changed since training" if changed else ""


def list_empty(labels: Labels, class_names: Sequence[str]) -> list[str]:
    """Classes that no picture has."""
    return [class_names[k] for k in np.flatnonzero(count_labels(labels, len(class_names)) == 0).tolist()]
