"""A validation and a test set cut out of a folder's pictures, by their names or by their order."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.label_sets import count_labels, has_several, list_empty, number_label_sets
from lta.data.splits import draw_by_name, stratified_split

log = logging.getLogger(__name__)

HOW = ("hash", "order")
ALL = "all"
"""As test_size: all pictures are for the test, and none are left to train on."""
TRIED = 100_000
"""Draws at most, to find a seed that gives every class a picture in every part."""


@dataclass(frozen=True)
class Cut:
    """`how`: "hash" draws each picture by its class and name, so that pictures added later move none; sizes are fractions,
    and counts come out approximately. "order" draws each class's exact share by the pictures' order, and adding one picture
    changes which others are drawn; sizes are counts or fractions. `val_size` may be 0, `test_size` ALL."""

    how: str
    val_size: int | float
    test_size: int | float | str
    seed: int

    @property
    def is_all_test(self) -> bool:
        """Whether nothing is cut, as all is test."""
        return self.test_size == ALL

    def check(self) -> None:
        """Raises ValueError for sizes that can't be."""
        for name, value in self._sizes.items():
            lowest = 1 if name == "test_size" else 0
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= lowest
            if not is_count and not (isinstance(value, float) and 0 < value < 1):
                raise ValueError(
                    f"data.{name}={value} must be a number of images, {lowest} or more, or a share between 0 and 1"
                    + (f"; or {ALL}, to evaluate a network on all pictures" if name == "test_size" else "")
                )
            if self.how == "hash" and is_count and value:
                raise ValueError(
                    f"data.{name}={value} is a number of images, and data.split=hash can only give a share: give one "
                    "between 0 and 1, or data.split=order (then pictures that you add later change the parts)"
                )
        if self.how == "hash" and sum(self._sizes.values()) >= 1:
            raise ValueError(f"data.val_size={self.val_size} and data.test_size={self.test_size} leave nothing to train on")

    @property
    def _sizes(self) -> Mapping[str, Any]:
        return {"val_size": self.val_size, **({} if self.is_all_test else {"test_size": self.test_size})}

    def cut(self, whole: Split, names: Sequence[str], class_names: Sequence[str], parts: Sequence[str]) -> dict[str, Split]:
        """`parts` ("test", "val") and the rest, "train", of `whole`; `names` of its pictures below their class's folder.

        A part whose size is 0 is left out. Raises DataError where a class has no picture in one of them; by order, in train.
        """
        if self.is_all_test:
            return {"train": whole.take(np.arange(0)), "test": whole}
        wanted = [part for part in parts if self._sizes[f"{part}_size"]]
        if not wanted:
            return {"train": whole}
        if self.how == "order":
            return self._cut_by_order(whole, class_names, wanted)
        return self._cut_by_name(whole, names, class_names, wanted)

    def _cut_by_order(self, whole: Split, class_names: Sequence[str], wanted: Sequence[str]) -> dict[str, Split]:
        found, rest, images = {}, whole, len(whole.labels)
        counts = {part: _count(f"{part}_size", self._sizes[f"{part}_size"], images) for part in wanted}
        for part, count in counts.items():
            name = f"{part}_size"
            too_many = f"data.{name}={self._sizes[name]} takes {count} of {len(rest.labels)} images"
            if count >= len(rest.labels):
                raise DataError(f"{too_many} and leaves none to train on; make it smaller")
            kept, cut = stratified_split(number_label_sets(rest.labels), count, self.seed)
            if empty := list_empty(rest.labels[kept], class_names):
                lost = ", ".join(empty)
                raise DataError(f"{too_many} and leaves none of {lost} to train on; make it smaller or add images")
            found[part], rest = rest.view(cut), rest.view(kept)
        return {"train": rest, **found}

    def _cut_by_name(
        self, whole: Split, names: Sequence[str], class_names: Sequence[str], wanted: Sequence[str]
    ) -> dict[str, Split]:
        assert whole.ids is not None
        several, tokens = has_several(whole.labels), whole.ids[:, 1]
        classes = [""] * len(names) if several else [class_names[int(label)] for label in whole.labels]
        order, ends = [*wanted, "train"], np.cumsum([self._sizes[f"{part}_size"] for part in wanted])

        def draw(seed: int) -> np.ndarray:
            """The part of each picture, as its position in `order`."""
            return np.searchsorted(ends, draw_by_name(classes, names, seed, tokens), side="right")

        def count_by_class(drawn: np.ndarray) -> np.ndarray:
            if several:
                parts = [whole.labels[drawn == part] for part in range(len(order))]
                return np.stack([count_labels(labels, len(class_names)) for labels in parts], 1)
            cells = np.bincount(whole.labels * len(order) + drawn, minlength=len(class_names) * len(order))
            return cells.reshape(len(class_names), len(order))

        drawn = draw(self.seed)
        counts = count_by_class(drawn)
        if not counts.all():
            label, part = (int(first) for first in np.argwhere(counts == 0)[0])
            seeds = range(self.seed + 1, self.seed + 1 + max(TRIED // len(names), 1))
            better = next((seed for seed in seeds if count_by_class(draw(seed)).all()), None)
            ways = [] if better is None else [f"data.split_seed={better}, which gives every class one"]
            if order[part] != "train":
                ways.append(f"a larger data.{order[part]}_size")
            lost = f"{class_names[label]} (of {counts[label].sum()}) for {order[part]}"
            raise DataError(
                f"data.split=hash leaves no picture of {lost}: add pictures, or give "
                f"{', '.join([*ways, 'or data.split=order, which cuts exact shares'])}"
            )
        log.info(
            "data.split=hash: %s of %d pictures, chosen by their names: shares are approximate, and pictures that you add "
            "later do not move the others",
            ", ".join(f"{int((drawn == number).sum())} {part}" for number, part in reversed([*enumerate(order)])),
            len(names),
        )
        return {part: whole.view(np.flatnonzero(drawn == number)) for number, part in enumerate(order)}


def _count(name: str, value: int | float, images: int) -> int:
    count = round(value * images) if isinstance(value, float) else value
    if count == 0:
        raise DataError(f"data.{name}={value} of {images} images is less than one image; make it larger")
    return count
