"""The same picture, byte for byte, in two parts of a data set or under two classes."""

import logging
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.label_sets import has_several, number_label_sets

log = logging.getLogger(__name__)

ON_SHARED = ("error", "allow")


def check_shared(root: object, splits: Mapping[str, Split | None], on_shared: str, ways_on: str) -> None:
    """Says in a line which parts share pictures, and whether some lie under two classes. Raises DataError, which ends in
    `ways_on`, where test shares some with another part, unless `on_shared` is "allow"."""
    parts = {name: split for name, split in splits.items() if split is not None and split.ids is not None}
    contents = {name: split.ids[:, 1] for name, split in parts.items() if split.ids is not None}
    for one, other in combinations(parts, 2):
        if count := int(np.isin(contents[other], contents[one]).sum()):
            said = f"{root}: {count} of {len(contents[other])} pictures of {other} are in {one} too, byte for byte"
            if "test" in (one, other) and on_shared == "error":
                raise DataError(f"{said}; {ways_on}, or give data.on_shared=allow")
            log.warning("%s", said)
    if not parts:
        return
    tokens, labels = np.concatenate(list(contents.values())), np.concatenate([split.labels for split in parts.values()])
    several = has_several(labels)
    pairs = np.unique(np.stack([tokens, number_label_sets(labels)], 1), axis=0)
    _, times = np.unique(pairs[:, 0], return_counts=True)
    if count := int((times > 1).sum()):
        how = "have rows with different labels" if several else "lie in two or more class folders"
        which = "labels are" if several else "class is"
        log.warning("%s: %d pictures %s, byte for byte: which %s right?", root, count, how, which)
