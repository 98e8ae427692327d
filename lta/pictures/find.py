"""Which pictures are meant by files and folders, and what is made of them is called."""

import glob
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lta.pictures.drawn import is_run, list_drawn
from lta.pictures.formats import CONVERT, HELP, register_formats
from lta.pictures.read import NOT_READ
from lta.pictures.write import OPTIONS

SYSTEM = frozenset(
    {
        *(
            "@eadir",
            "#recycle",
            "#snapshot",
            "@recycle",
            "@recently-snapshot",
        ),  # of NAS devices, beside .AppleDouble and others
        *("lost+found", "__macosx", "$recycle.bin", "system volume information", "__pycache__"),
    }
)
"""Folders, in small letters, that no user has made; those that begin with a dot are left out anyway."""

HEIF_ENDINGS = (".heic", ".heif")
UNREAD = {
    **dict.fromkeys(HEIF_ENDINGS, HELP),
    **dict.fromkeys((".avif", ".jxl", ".jp2", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg"), CONVERT),
}
"""Endings of pictures that data sets don't read (HEIC: without the extra), and what to do with them."""


def is_hidden(name: str) -> bool:
    """Whether a name belongs to a hidden file, or to one that a system or NAS leaves in folders."""
    return name.startswith(".") or name.casefold() in SYSTEM


def is_jpeg_without_ending(path: Path) -> bool:
    """By its first bytes; False for what has an ending, is no regular file, or can't be read."""
    if path.suffix or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False


def list_heif_endings() -> tuple[str, ...]:
    """Those of HEIC, where it can be read."""
    return HEIF_ENDINGS if register_formats() else ()


def explain_unread(ending: str) -> str | None:
    """What to do with pictures of this ending (small letters), which data sets don't read here; None for others."""
    return None if ending in list_heif_endings() else UNREAD.get(ending)


def list_extensions() -> frozenset[str]:
    """Endings of the files that are taken for pictures in a folder: those of the formats that Pillow opens here."""
    register_formats()
    known = Image.registered_extensions().items()
    return frozenset(ending for ending, name in known if name in Image.OPEN.keys() - NOT_READ or name == "MPO")


class Found(NamedTuple):
    """A picture's file, and the folder that it was looked for in: itself, or one above it."""

    path: Path
    place: Path


def find_images(places: str | Path | Sequence[str | Path], below: bool = False) -> list[Path]:
    """Files as they are given, the pictures of folders sorted as people count (2 before 10), each once.

    A folder's own pictures are meant, and with `folder/**`, or where all `below` a folder is asked for, those of its
    subfolders too; hidden ones never, nor what lta has drawn (`drawn.py`). What does not exist is taken as a pattern
    (`*.jpg`). `~` is the home directory. Raises ValueError where a place does not exist, a folder has no picture, no name
    fits a pattern, or no place is given.
    """
    return [found.path for found in find_with_places(places, below)]


def find_with_places(places: str | Path | Sequence[str | Path], below: bool = False) -> list[Found]:
    """The pictures of `find_images`, each with the folder that was named: its own where files are, of a pattern the one
    before its first sign."""
    places = [places] if isinstance(places, (str, Path)) else places
    found: dict[str, Found] = {}
    for place in places:
        path = Path(place).expanduser()
        if path.is_dir() or path.name == "**":
            folder = path.parent if path.name == "**" and not path.is_dir() else path
            pictures = _list_folder(folder, below or folder != path)
        else:
            folder = None if path.exists() else _find_before_pattern(path)
            pictures = _list_files(path)
        for picture in pictures:
            found.setdefault(os.path.realpath(picture), Found(picture, folder or picture.parent))
    if not found:
        raise ValueError("no pictures are given; give files or folders")
    return list(found.values())


def name_out(out: Path, pictures: Sequence[Path], effect: str, ending: str | None = None) -> list[Path]:
    """`out/<stem>_<effect><ending>` for each picture, no two alike (nor for file systems that don't tell A from a): the
    second `x` becomes `x_2`.

    Without an `ending` a picture keeps its own where that can be written, else it becomes a .png. Raises ValueError where
    that is the name of one of the pictures.
    """
    endings = [ending or (path.suffix if path.suffix.lower() in OPTIONS else ".png") for path in pictures]
    wanted = [f"{path.stem}_{effect}{own}" for path, own in zip(pictures, endings, strict=True)]
    reserved, taken, names = {name.casefold() for name in wanted}, set(), []
    for path, own, name in zip(pictures, endings, wanted, strict=True):
        number = 1
        while name.casefold() in taken or (number > 1 and name.casefold() in reserved):
            number += 1
            name = f"{path.stem}_{number}_{effect}{own}"
        taken.add(name.casefold())
        names.append(out / name)
    sources = {os.path.realpath(path) for path in pictures}
    for name in names:
        if os.path.realpath(name) in sources:
            raise ValueError(f"{name} is one of the pictures and would be overwritten; choose another folder")
    return names


def _list_files(path: Path) -> list[Path]:
    """The file, or the pictures that a pattern fits."""
    if path.exists():
        return [path]
    if not glob.has_magic(str(path)):
        raise ValueError(f"{path}: there is no such file or folder")
    known = list_extensions()
    folder = _find_before_pattern(path)  # there may be signs in its name: "new [2024]"
    named = glob.iglob(os.path.join(glob.escape(str(folder)), *path.parts[len(folder.parts) :]), recursive=True)
    found = [file for file in map(Path, named) if file.suffix.lower() in known and _is_file_or_lost(file)]
    if not found:
        raise ValueError(f"{path}: there is no such file, and no picture whose name matches")
    return sorted(found, key=_make_natural_key)


def _find_before_pattern(path: Path) -> Path:
    """The folder above the first part of it that is a pattern: that has a sign in its name, and does not exist as it is."""
    folder = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
    for part in path.parts[len(folder.parts) :]:
        if not (folder / part).is_dir():
            break
        folder /= part
    return folder


def _is_file_or_lost(path: Path) -> bool:
    """Also a link that leads nowhere: whoever reads it says so."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _list_folder(folder: Path, deep: bool) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    known = list_extensions()
    files = _walk_visible(folder, deep)
    found = [
        file for file in files if _is_file_or_lost(file) and (file.suffix.lower() in known or is_jpeg_without_ending(file))
    ]
    if not found:
        more = "" if deep else f"; {folder}/** looks in its subfolders too"
        raise ValueError(f"{folder} has no picture (a file that ends in .jpg, .png and so on){more}")
    return sorted(found, key=_make_natural_key)


def _walk_visible(folder: Path, deep: bool) -> Iterator[Path]:
    for place, below, files in os.walk(folder):
        drawn = list_drawn(Path(place))
        below[:] = [
            name for name in below if deep and not is_hidden(name) and name not in drawn and not is_run(Path(place, name))
        ]
        yield from (Path(place, name) for name in files if not name.startswith(".") and name not in drawn)


def _make_natural_key(path: Path) -> tuple[list[list[str | int]], str]:
    parts = (re.split(r"(\d+)", part.casefold()) for part in path.parts)
    return [[int(piece) if number % 2 else piece for number, piece in enumerate(pieces)] for pieces in parts], str(path)
