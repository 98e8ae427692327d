"""Where lta keeps what took long to make (decoded pictures, fitted preprocessing), and how it is written."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from lta.runtime.locks import find_lock_folder, hold_lock

Cache = str | Path | bool | None
"""A folder; None for $XDG_CACHE_HOME/lta or ~/.cache/lta; "off" (or False, which yaml makes of it) for no cache."""


def cache_folder(cache: Cache, key: str) -> Path | None:
    """The folder, which need not exist; None for no cache. Raises ValueError, naming the setting `key`."""
    if cache in ("off", False):
        return None
    if cache is None:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lta"
    if not isinstance(cache, str | Path):
        raise ValueError(f"{key}={cache} must be a folder, null (the user's cache folder) or off")
    return Path(cache).expanduser()


STALE = 60
"""Seconds: a part of a file is not taken for a leftover before, as its writer may not have locked it yet."""


def remove_leftovers(folder: Path) -> None:
    """Parts of files (`lta.runtime.files.replace_file`) that killed processes have left. One that is being written is locked
    by its writer and stays."""
    for part in folder.glob(".*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE:
                with part.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink()


@contextmanager
def make_machine_lock(what: str) -> Iterator[None]:
    """Of this user's processes on this machine one is inside; the others wait, and find done what it did. Where no
    folder can hold a lock each does it by itself."""
    folder = find_lock_folder(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lta" / "locks")
    with nullcontext() if folder is None else hold_lock(folder / f"{what}.lock", what):
        yield
