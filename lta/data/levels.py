"""The folder that somebody meant who gave one a level too high or too low."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from lta.pictures.find import is_hidden

DEPTH = 4
LOOKED_AT = 500
"""Folders: a whole disk is not searched."""


def suggest_level(folder: Path, has_pictures: Callable[[Path], bool]) -> str:
    """Words on the folders near `folder` that hold two or more folders with pictures; "" where there is none.

    Those below are looked for first, then the one above.
    """
    below = [place for place in _walk_levels(folder) if place != folder and _is_level(place, has_pictures)]
    if not below and has_pictures(folder) and _is_level(folder.parent, has_pictures):
        below = [folder.parent]
    roots = list(dict.fromkeys(place.parent if place.name in ("train", "test", "val") else place for place in below))
    if not roots or roots == [folder]:
        return ""
    given = " or ".join(f"data.root={place}" for place in roots[:2])
    return f"; class folders lie one level further down: give {given}{' or the like' if len(roots) > 2 else ''}"


def _is_level(folder: Path, has_pictures: Callable[[Path], bool]) -> bool:
    return sum(has_pictures(place) for place in islice(_list_folders(folder), 20)) >= 2


def _walk_levels(folder: Path) -> list[Path]:
    found, level = [], [folder]
    for _ in range(DEPTH):
        found += level
        level = [below for place in level for below in _list_folders(place)]
        if len(found) + len(level) > LOOKED_AT:
            break
    return found


def _list_folders(folder: Path) -> list[Path]:
    try:
        return sorted(place for place in folder.iterdir() if place.is_dir() and not is_hidden(place.name))
    except OSError:
        return []
