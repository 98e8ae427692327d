"""Pictures as a network saw them, with what it attended: one by one, and the least sure on a sheet."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lta import checks
from lta.measures.placement import find_placements
from lta.pictures.grey_range import find_grey_range
from lta.pictures.write import write_image
from lta.protocols import TrainedClassifier
from lta.runtime.teachers import add_teachers
from lta.training.given import read_fitted
from lta.viz.colour import overlay
from lta.viz.panel import TIMES, describe_range
from lta.viz.sheet import Tile, sheet

WHICH = ("none", "all", "unsure")
SIDE, SMALL = 448, 160
"""Pixels along the longer side of a picture: on an overlay, and on the sheet."""

PAGE = 1200
"""Pixels of a sheet's width, about."""


class Answered(NamedTuple):
    """A picture's `place` among all, its answer in words, and its maps by level."""

    share: float
    place: int
    text: str
    maps: Mapping[str, np.ndarray]


def check_overlays(asked: Any, threshold: float | None) -> None:
    """Raises ValueError where it is none of `WHICH`, or asks for the unsure where all are sure."""
    checks.require_choice("overlays", asked, WHICH)
    if asked == "unsure" and threshold is None:
        raise ValueError("overlays=unsure needs threshold=..., below which an answer is unsure")


def choose_levels(asked: Any, there: Sequence[str], whose: str) -> list[str] | None:
    """One, several, "all", or None where nothing is asked. Raises ValueError where the network has no such maps."""
    if asked is None:
        return None
    if not there:
        raise ValueError(f"levels={asked}: the network of {whose} has no attention maps")
    levels = list(there) if asked == "all" else [asked] if isinstance(asked, str) else list(asked)
    for level in levels:
        checks.require_choice("levels", level, there)
    return levels or list(there)


class Drawing:
    """Draws `pictures` as the network sees them: scaled, and cut in the centre.

    `levels` None: all on overlays, the deepest on the sheet, which shows `count` pictures. `whose` says in an error which
    network is meant. Raises ValueError where the network has no maps to draw.
    """

    def __init__(
        self, classifier: TrainedClassifier, pictures: Sequence[Path], which: str, count: int, levels: Any, whose: str
    ):
        there = classifier.network.levels
        asked = choose_levels(levels, there, whose)
        if which != "none" and not there:
            raise ValueError(
                f"overlays={which}: the network of {whose} has no attention maps; give overlays=none for the answers alone"
            )
        self.on_overlay, self.on_sheet = asked or list(there), asked or list(there[-1:])
        self.pictures, self.which, self.count = pictures, which, count
        self.size = tuple(classifier.hparams["image_size"])
        self.placements = find_placements(classifier.network, self.size)
        self.grey_range = find_grey_range(classifier.hparams)
        self.taught = classifier.hparams.get("taught_by") if self.on_sheet else None
        self._least_sure: list[Answered] = []

    def keep_least_sure(self, answered: Answered) -> None:
        """Of all those that were given the `count` with the lowest share, the first one where shares are alike."""
        entry = answered._replace(share=-answered.share, place=-answered.place)
        if len(self._least_sure) < self.count:
            heapq.heappush(self._least_sure, entry)
        elif self.count and entry[:2] > self._least_sure[0][:2]:
            heapq.heapreplace(self._least_sure, entry)

    def list_least_sure(self) -> list[Answered]:
        """Those that were kept, the least sure first."""
        kept = (one._replace(share=-one.share, place=-one.place) for one in self._least_sure)
        return sorted(kept, key=lambda one: one[:2])

    def is_wanted(self, is_sure: bool) -> bool:
        """Whether a picture's overlay is drawn."""
        return self.which == "all" or (self.which == "unsure" and not is_sure)

    def write_overlay(self, answered: Answered, file: Path) -> None:
        """The picture and its maps side by side, with the answer."""
        row = list(self._make_tiles(answered, self.on_overlay, SIDE))
        headings = ["picture", *(_describe_level(level, answered.maps[level]) for level in self.on_overlay)]
        _write(file, sheet([row], headings, explained=("map",), tile=SIDE))

    def write_sheet(self, file: Path, total: int) -> bool:
        """The least sure of `total` pictures; whether there was one to draw. What an earlier prediction has left is gone."""
        with suppress(FileNotFoundError):
            file.unlink()
        kept = self.list_least_sure()
        if not kept:
            return False
        strips = [list(self._make_tiles(one, self.on_sheet, SMALL)) for one in kept]
        wide = len(strips[0])
        across = min(len(strips), max(1, PAGE // (wide * SMALL)))
        strips += [[Tile(np.full_like(tile.image, 255)) for tile in strips[0]]] * (-len(strips) % across)
        rows = [[*chain(*strips[start : start + across])] for start in range(0, len(strips), across)]
        headings = ["picture", *(f"map {level}" for level in self.on_sheet)] * across
        title = add_teachers(f"{len(kept):,} of {total:,} pictures, the least sure first", self.taught)
        _write(file, sheet(rows, headings, title, ("map",) if self.on_sheet else (), SMALL))
        return True

    def _make_tiles(self, answered: Answered, levels: Sequence[str], side: int) -> Iterator[Tile]:
        path = self.pictures[answered.place]
        scale = side / max(self.size)
        size = (max(1, round(self.size[0] * scale)), max(1, round(self.size[1] * scale)))
        image = np.asarray(read_fitted(path, size, self.grey_range))
        yield Tile(image, answered.text if levels else f"{answered.text}  {path.name}")
        for number, level in enumerate(levels):
            attn = answered.maps[level]
            text = path.name if number == 0 else ""
            yield Tile(overlay(image, attn, "bilinear", placement=self.placements.get(level)), text)


def _describe_level(level: str, attn: np.ndarray) -> str:
    return f"map {level}, {attn.shape[0]} {TIMES} {attn.shape[1]}, {describe_range(attn)}"


def _write(file: Path, image: Image.Image) -> None:
    try:
        write_image(file, torch.from_numpy(np.array(image)).permute(2, 0, 1))
    except OSError as error:
        raise ValueError(f"{file} can't be written: {error.strerror or error}") from error
