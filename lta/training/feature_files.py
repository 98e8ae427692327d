"""Files of features (`lta.training.cached_features`): whole or not there, and read again only if nothing is damaged.

A file is an array of NumPy with the digest of its values behind it. Gigabytes are read for that digest once: what the system
says of a file that was found whole is kept beside it, and the file is read again when that has changed.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from math import prod
from pathlib import Path

import numpy as np

from lta.data.contents import SETTLED, read_stamp
from lta.runtime.files import replace_file, write_text

log = logging.getLogger(__name__)

CHUNK = 64
"""Pictures whose values are digested together."""

DIGEST = 16
"""Bytes."""

SPARE = 1.05
"""Of the space that the files take, so much must be free."""


def name_file(place: Path, level: str) -> Path:
    """Where the features of a level are kept below `place`."""
    return place / f"{level}.npy"


def read_file(path: Path, count: int) -> np.ndarray | None:
    """What `write_files` wrote of `count` pictures, memory-mapped; None where there is nothing, or something else, which is
    said."""
    if not path.is_file():
        return None
    try:
        stamp, now = read_stamp(str(path)), time.time_ns()
        array = np.load(path, mmap_mode="c")
        if len(array) == count and _is_known(path, stamp):
            return array
        with path.open("rb") as file:
            file.seek(array.offset + array.nbytes)
            digest = np.load(file).tobytes()
        found = hashlib.blake2b(digest_size=DIGEST)
        for start in range(0, count, CHUNK):
            found.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
        if len(array) == count and digest == found.digest():
            _note(path, stamp, now)
            return array
    except Exception as error:  # numpy parses the header as Python
        log.warning("%s can't be used and is made again (%s)", path, error)
        return None
    log.warning("%s is damaged, as its digest shows, and is made again", path)
    return None


def write_files(
    place: Path, parts: Iterable[Mapping[str, np.ndarray]], levels: Iterable[str], count: int, what: str
) -> None:
    """Of `count` pictures, piece by piece, as together they may be larger than the memory. What is not complete is no file
    of that name. Raises ValueError where the disk has no room."""
    with ExitStack() as stack:
        digests = {level: hashlib.blake2b(digest_size=DIGEST) for level in levels}
        files = {level: stack.enter_context(replace_file(name_file(place, level))) for level in digests}
        megabytes = 0.0
        for number, part in enumerate(parts):
            if number == 0:
                shapes = {level: (count, *part[level].shape[1:]) for level in digests}
                megabytes = _check_room(place, shapes, what)
                for level, shape in shapes.items():
                    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(files[level], header)
            for level, file in files.items():
                rows = np.ascontiguousarray(part[level], "<f2").data
                file.write(rows)
                digests[level].update(rows)
        for level, file in files.items():
            np.save(file, np.frombuffer(digests[level].digest(), np.uint8))
    log.info("%s: %d pictures, %d MB, kept in %s", what, count, megabytes, place)


def _name_note(path: Path) -> Path:
    return path.with_suffix(".found_whole.json")


def _is_known(path: Path, stamp: tuple[int, ...]) -> bool:
    """Whether the file was found whole when the system said the same of it, and had not just changed."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(_name_note(path).read_text())
        return tuple(known["stamp"]) == stamp and max(stamp[1:3]) + SETTLED < known["read"]
    return False


def _note(path: Path, stamp: tuple[int, ...], now: int) -> None:
    """Where it can't be written, the file is read again."""
    with suppress(OSError):
        write_text(_name_note(path), json.dumps({"stamp": stamp, "read": now}))


def _check_room(place: Path, shapes: Mapping[str, tuple[int, ...]], what: str) -> float:
    """Megabytes that files of these shapes take. Raises ValueError where the disk has not so many."""
    needed, free = sum(2 * prod(shape) for shape in shapes.values()), shutil.disk_usage(place).free
    if SPARE * needed > free:
        raise ValueError(
            f"{what} take {needed / 1e6:,.0f} MB, and the disk of {place} has {free / 1e6:,.0f} MB free: give "
            "data.cache=FOLDER on another one, a smaller data.image_size, or model.backbone.cache=false"
        )
    return needed / 1e6
