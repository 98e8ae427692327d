"""Which pictures lie in folders of classes: links are followed, what a system has put there is left out, and what else is
left out is said."""

import logging
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from lta.data.errors import DataError
from lta.data.levels import suggest_level
from lta.pictures.drawn import is_run, list_drawn
from lta.pictures.find import explain_unread, is_hidden, is_jpeg_without_ending, list_heif_endings

log = logging.getLogger(__name__)

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".ppm", ".pgm", ".pbm", ".gif", ".webp", ".tif", ".tiff"}
)
"""Those that are always read; `list_endings` has all."""

PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}


class Listing(NamedTuple):
    """The pictures of one folder of classes. `names` are paths below the root, in order; `labels` where pictures have
    several are 0 and 1 for each class."""

    class_names: tuple[str, ...]
    names: list[str]
    labels: Int64[np.ndarray, " files"] | UInt8[np.ndarray, "files classes"]


def list_images(
    root: Path, part: str = "", nested: bool = True, no_classes: Collection[str] = (), least: int = 2
) -> Listing:
    """All pictures in `root/part/<class>/` and below; folders named in `no_classes` are none.

    Raises DataError for fewer classes than `least`, one without pictures, what can't be read, and, where classes are not
    `nested`, for one whose only content is folders.
    """
    folder = root / part
    class_names = [
        name for name in list_subfolders(folder) if name not in no_classes and not _holds_only_results(root, part, name)
    ]
    if len(class_names) < least:
        found = f"only one class, {class_names[0]}" if class_names else "no class folders"
        raise DataError(
            f"{folder} holds {found}: give each of at least two classes a folder of its own there"
            f"{suggest_level(folder, _has_pictures)}"
        )
    if {"images", "masks"} <= set(class_names):
        raise DataError(
            f"{folder} holds images/ and masks/, which are not classes: python -m lta.evaluate data=mask_folder reads "
            "such a folder; to train on its pictures, give each class a folder of its own"
        )
    names: list[str] = []
    labels: list[int] = []
    empty, left_out = [], [name for name in _list_loose(folder) if _is_picture(folder / name)]
    if left_out:
        log.warning("%s: %s outside the class folders and left out", folder, _count_files(left_out, "is", "are"))
    left_out = []
    for label, class_name in enumerate(class_names):
        pictures, others = find_pictures(root, os.path.join(part, class_name))
        left_out += others
        names += pictures
        labels += [label] * len(pictures)
        own = {name for name in pictures if os.path.dirname(name) == os.path.join(part, class_name)}
        if not nested and pictures and not own:
            below = ", ".join(list_subfolders(folder / class_name)[:3])
            said = f"{folder / class_name} holds only folders ({below}), so it is no class"
            parts = {name.casefold() for name in class_names} <= PARTS
            where = "; name them train and test (val)" if parts else suggest_level(folder, _has_pictures)
            raise DataError(f"{said}{where}; or give data.nested=true, which takes all below it as one class")
        if not pictures:
            empty.append(class_name)
    _tell_left_out(folder, left_out)
    if empty:
        allowed = " ".join(sorted(list_endings()))
        unread = _describe_unread(left_out)
        more = f" ({unread})" if unread else ""
        raise DataError(
            f"{folder}: no pictures ({allowed}) of {', '.join(empty)}{more}; add some or remove the class folder"
        )
    _warn_of_twins(folder, class_names)
    return Listing(tuple(class_names), names, np.array(labels, np.int64))


def list_subfolders(folder: Path) -> list[str]:
    """Those that are no system's, links to folders too; [] where `folder` is none. Raises DataError for a link to nothing,
    which may have been a class, and where the folder can't be read."""
    if not folder.is_dir():
        return []
    found = []
    for entry in _scan(folder):
        if entry.is_dir() and not _is_loop(entry, folder):
            found.append(entry.name)
        elif entry.is_symlink() and not os.path.exists(entry.path) and not os.path.splitext(entry.name)[1]:
            raise DataError(f"{entry.path} is a link to {os.readlink(entry.path)}, which is not there; repair or remove it")
    return sorted(found)


def check_same_classes(root: Path, train: tuple[str, ...], name: str, other: tuple[str, ...]) -> None:
    """Raises DataError, naming them, where the class folders of `root/train` and `root/name` are not the same."""
    only_train, only_other = sorted(set(train) - set(other)), sorted(set(other) - set(train))
    if only_train or only_other:
        parts = [("train", only_train), (name, only_other)]
        said = "; ".join(f"only in {part}: {', '.join(classes)}" for part, classes in parts if classes)
        twins = [names for names in _find_twins([*only_train, *only_other]) if len(names) > 1]
        how = f" ({_describe_twins(twins[0])})" if twins else ""
        raise DataError(f"{root}: the class folders of train and {name} differ ({said}){how}; make them the same")


def _holds_only_results(root: Path, part: str, name: str) -> bool:
    """Whether a folder beside the classes is one that lta has written runs or predictions into, as `runs`, `multirun` or
    `predictions`, and nothing else."""
    folder = root / part / name
    near = [folder, *(Path(one) for one in _scan_folders(folder))]
    if not any(list_drawn(place) for place in near) and not any(
        is_run(place) or any(is_run(Path(one)) for one in _scan_folders(place)) for place in near
    ):
        return False
    if found := not find_pictures(root, os.path.join(part, name))[0]:
        log.info("%s holds results of lta, so it is not used as a class", folder)
    return found


def _scan_folders(folder: Path) -> list[str]:
    return [entry.path for entry in _scan(folder) if entry.is_dir()]


def find_pictures(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """(pictures, other files) in `root/folder` and below, as paths below `root`, sorted; none that lta has drawn."""
    pictures, others = [], []

    def walk(below: str, above: frozenset[tuple[int, int]]) -> None:
        place = root / below
        status = os.stat(place)
        if (here := (status.st_dev, status.st_ino)) in above:
            log.warning("%s is a link to a folder that it lies in, and is left out", place)
            return
        drawn = list_drawn(place)
        for entry in _scan(place):
            if entry.name in drawn:
                continue
            name = os.path.join(below, entry.name)
            if entry.is_dir():
                if not is_run(Path(entry.path)):
                    walk(name, above | {here})
            else:
                (pictures if _is_picture(Path(entry.path)) else others).append(name)

    above = (root / folder).parent.resolve()
    walk(folder, frozenset((place.stat().st_dev, place.stat().st_ino) for place in (above, *above.parents)))
    return sorted(pictures), sorted(others)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """What is no system's, in the order of names; [] where there is no such folder."""
    if not os.path.exists(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} can't be read: {error.strerror}") from error


def _is_loop(entry: os.DirEntry[str], folder: Path) -> bool:
    """Whether it links to the folder that it lies in, or to one above."""
    if not entry.is_symlink():
        return False
    target = Path(entry.path).resolve()
    if found := folder.resolve().is_relative_to(target):
        log.warning("%s is a link to a folder that it lies in, and is left out", entry.path)
    return found


def _is_picture(path: Path) -> bool:
    """By its ending; without one by its first bytes. A link to nothing is one that can't be read; a pipe is none."""
    ending = path.suffix.lower()
    if ending and ending not in list_endings():
        return False
    if not path.exists():
        return bool(ending)
    return path.is_file() and (bool(ending) or is_jpeg_without_ending(path))


def list_endings() -> frozenset[str]:
    """Endings, in small letters, of the files that data sets read."""
    return EXTENSIONS.union(list_heif_endings())


def _has_pictures(folder: Path) -> bool:
    return any(_is_picture(folder / name) for name in _list_loose(folder))


def _list_loose(folder: Path) -> list[str]:
    return [entry.name for entry in _scan(folder) if not entry.is_dir()]


def _tell_left_out(folder: Path, names: Sequence[str]) -> None:
    if unread := _describe_unread(names):
        log.warning("%s: %s; left out", folder, unread)
    odd = [name for name in names if explain_unread(os.path.splitext(name)[1].lower()) is None]
    if odd:
        kinds = Counter(os.path.splitext(name)[1].lower() or "no ending" for name in odd)
        listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(5))
        log.info("%s: ignoring %d files that are not pictures by their extension (%s)", folder, len(odd), listed)


def _describe_unread(names: Iterable[str]) -> str:
    """Pictures of formats that are not read here, and what to do with them; "" where there are none."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if explain_unread(ending := os.path.splitext(name)[1].lower()):
            found[ending].append(name)
    return "; ".join(
        f"{_count_files(files, 'is', 'are')} of a format that is not read ({ending}): {explain_unread(ending)}"
        for ending, files in sorted(found.items())
    )


def _count_files(names: Sequence[str], one: str, more: str) -> str:
    if len(names) == 1:
        return f"1 picture ({names[0]}) {one}"
    return f"{len(names)} pictures ({names[0]}, ...) {more}"


def _warn_of_twins(folder: Path, class_names: Sequence[str]) -> None:
    for names in _find_twins(class_names):
        if len(names) > 1:
            log.warning("%s: %s: one class in two folders?", folder, _describe_twins(names))


def _find_twins(class_names: Sequence[str]) -> list[list[str]]:
    """Names that are the same to a reader who takes no notice of case and of how accents are written."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        alike[unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())].append(name)
    return list(alike.values())


def _describe_twins(names: Sequence[str]) -> str:
    form = len({unicodedata.normalize("NFC", name) for name in names}) == 1
    how = "the Unicode form of their letters (composed or not)" if form else "letter case"
    return f"{' and '.join(map(repr, names))} differ in {how} only"
