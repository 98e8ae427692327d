"""Files and folders, as pictures in an order that people expect."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image


def find(places: Sequence[str | Path]) -> list[Path]:
    """Files as given, and the pictures that lie in given folders (by their suffix, no hidden ones, none of folders below;
    `2.jpg` before `10.jpg`), each once.

    Raises ValueError where there is no such place, or no picture in a folder.
    """
    found: list[Path] = []
    for place in map(Path, places):
        if place.is_dir():
            inside = [path for path in place.iterdir() if _is_picture(path)]
            if not inside:
                raise ValueError(f"{place} holds no picture of a kind that Pillow reads")
            found += sorted(inside, key=_natural)
        elif place.exists():
            found.append(place)
        else:
            raise ValueError(f"{place}: there is no such file or folder")
    once = {path.resolve(): path for path in reversed(found)}
    return [path for path in dict.fromkeys(found) if once[path.resolve()] == path]


def names_apart(pictures: Sequence[Path]) -> list[str]:
    """A name for each picture's results, without suffix: its own, and numbered where several have the same."""
    stems = [path.stem for path in pictures]
    counted = Counter(stem.casefold() for stem in stems)
    taken = {stem for stem in map(str.casefold, stems) if counted[stem] == 1}
    names = []
    for stem in stems:
        name, number = stem, 1
        while counted[stem.casefold()] > 1 and (number == 1 or name.casefold() in taken):
            name, number = f"{stem}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in Image.registered_extensions()


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.casefold())]
