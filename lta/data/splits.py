"""Choosing images: a validation set out of the training set, by order or by name; a few of each class to look at."""

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int, Int64

from lta.data.batches import Split
from lta.data.label_sets import Labels, number_label_sets


def balanced_choice(labels: Labels, count: int) -> Int[np.ndarray, " chosen"]:
    """Positions of the first images of each class, or set of labels, as evenly many as there are, in the order of the
    classes.

    All images where there are fewer than `count`.
    """
    labels = number_label_sets(labels)
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    turn = np.arange(len(labels)) - np.searchsorted(ordered, ordered)  # first, second, ... image of its class
    return by_class[np.sort(np.argsort(turn, kind="stable")[:count])]


def stratified_split(labels: np.ndarray, held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (kept, held out), both sorted: `held_out` images drawn with each class in its share of the whole.

    Shares are rounded by largest remainder, so that the count is exact. Raises ValueError where `held_out` is negative
    or leaves nothing to train on.
    """
    if not 0 <= held_out < len(labels):
        raise ValueError(f"data.val_size={held_out} must be between 0 and {len(labels) - 1}: there are {len(labels)} images")
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


def cut_val(train: Split, val_size: int, split_seed: int) -> tuple[Split, Split | None]:
    """(train without them, `val_size` images of train, each class in its share), the latter None for a `val_size` of 0."""
    if not val_size:
        return train, None
    kept, held_out = stratified_split(train.labels, val_size, split_seed)
    return train.view(kept), train.view(held_out)


def keep_part(train: Split, train_size: int | None, split_seed: int) -> Split:
    """`train_size` images of train, each class in its share; None: all. Raises ValueError where there are fewer."""
    if train_size is None or train_size == len(train.labels):
        return train
    if not 0 < train_size < len(train.labels):
        raise ValueError(f"data.train_size={train_size} must be between 1 and {len(train.labels)}, the number of images")
    return train.view(stratified_split(train.labels, train_size, split_seed)[1])


def draw_by_name(
    classes: Sequence[str], names: Sequence[str], seed: int, tokens: Int64[np.ndarray, " files"]
) -> Float64[np.ndarray, " files"]:
    """A number in [0, 1) for each file, which depends on `seed`, its class and its name within that (with / between folders,
    letters composed) alone: files that are added change no other's.

    Files with the same content (`tokens`) have one number, the highest of theirs. Where the lowest numbers are the test set,
    a copy that is added can so take a picture out of it, and never one that was trained on into it.
    """
    own = np.array([_draw(seed, class_name, name) for class_name, name in zip(classes, names, strict=True)])
    _, group = np.unique(tokens, return_inverse=True)
    highest = np.zeros(len(names))
    np.maximum.at(highest, group, own)
    return highest[group]


def _draw(seed: int, class_name: str, name: str) -> float:
    key = "\0".join((str(seed), *(unicodedata.normalize("NFC", part) for part in (class_name, name))))
    digest = hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
