"""Folders at and below a place, links followed, each real folder once."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

OF_WANDB = re.compile(r"(offline-)?run-\d{8}_\d{6}-.+|latest-run")
"""How W&B calls its own folders, which hold a config.yaml of another kind."""


def walk_folders(
    place: Path, seen: set[tuple[int, int]], unread: list[tuple[Path, OSError]]
) -> Iterator[tuple[Path, set[str] | None, list[str]]]:
    """Each folder with the names of its files and of the folders below it; what is taken from those is not gone into.

    `seen` has what earlier calls went through; such a folder comes once more, with None for its files. What a link leads
    to comes after all that lies here itself, so that a folder is called by its own path where it has one. Folders that
    can't be read are added to `unread`.
    """
    waiting, links = [place], []
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        files: set[str] = set()
        linked: dict[str, bool] = {}
        try:
            status = os.stat(folder)
            again = (status.st_dev, status.st_ino) in seen
            with os.scandir(folder) as entries:
                for entry in () if again else entries:
                    if _is_file(entry):
                        files.add(entry.name)
                    elif _may_be_folder(entry) and not OF_WANDB.fullmatch(entry.name):
                        linked[entry.name] = entry.is_symlink()
        except OSError as error:
            unread.append((folder, error))
            continue
        seen.add((status.st_dev, status.st_ino))
        below = sorted(linked)
        yield folder, None if again else files, below
        waiting += [folder / name for name in reversed(below) if not linked[name]]
        links += [folder / name for name in below if linked[name]]


def list_files(folder: Path) -> list[str]:
    """Sorted names; none where there is no such folder. Raises OSError where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_file(entry))
    except FileNotFoundError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Not a pipe: reading one would wait for ever."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    """A link that can't be followed, too: going there says why."""
    try:
        return entry.is_dir()
    except OSError:
        return True
