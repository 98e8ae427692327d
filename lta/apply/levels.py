"""Which of a network's maps an effect follows."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lta import checks
from lta.protocols import TrainedClassifier

FEWEST = 6
"""Cells along a picture's shorter side that a map should have: of fewer one sees the cells, not the object."""


def choose_levels(asked: Any, there: Sequence[str], whose: str, cells: Mapping[str, int] | None = None) -> list[str]:
    """One, several, "all", or None for `find_best_level`. Raises ValueError where the network has no maps, or not those."""
    if not there:
        raise ValueError(f"{whose}: this network has no attention maps")
    if asked is None:
        return [find_best_level(there, cells or {})]
    levels = list(there) if asked == "all" else [asked] if isinstance(asked, str) else list(asked)
    for level in levels:
        checks.require_choice("attention.levels", level, there)
    if not levels:
        raise ValueError(f"attention.levels=[] names no level; choose from {', '.join(there)}")
    return levels


def find_best_level(there: Sequence[str], cells: Mapping[str, int]) -> str:
    """Of levels `there`, shallow to deep: the deepest with FEWEST cells or more along the shorter side, where none has the
    one with most. One that is not in `cells` counts as fine enough."""
    fine = [level for level in there if cells.get(level, FEWEST) >= FEWEST]
    return fine[-1] if fine else max(there, key=lambda level: cells[level])


@torch.inference_mode()
def count_cells(classifier: TrainedClassifier) -> dict[str, int]:
    """By level: of its map, along the shorter side of the pictures that it was trained on. It is shown one, of nothing."""
    levels = classifier.network.levels
    if len(levels) < 2:  # there is nothing to choose
        return {}
    height, width = classifier.hparams["image_size"]
    device = next(classifier.parameters()).device
    nothing = torch.zeros(1, 3, height, width, dtype=torch.uint8, device=device)
    attn = classifier.network(classifier.preprocess(nothing)).attn
    return {level: min(attn[level].shape[1:]) for level in levels}


def describe_choice(asked: Any, levels: Sequence[str], there: Sequence[str], cells: Mapping[str, int]) -> str:
    """The levels in words, with why where nobody asked for them and it is not the deepest."""
    named = f"level{'s' * (len(levels) > 1)} {', '.join(levels)}"
    if asked is not None or levels == [there[-1]]:
        return named
    (level,) = levels
    return f"{named} (of {cells[level]} x {cells[level]} cells; {there[-1]}, the deepest, has {cells[there[-1]]})"
