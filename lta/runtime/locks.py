"""Locks between the processes of one user on one machine, of which a process that waits says whom it waits for."""

import getpass
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds of waiting that nobody is told of."""


@contextmanager
def hold_lock(path: Path, what: str) -> Iterator[None]:
    """Inside, no other process holds the lock `path`. Whoever waits longer than PATIENCE says for `what`, and for whom."""
    holder, lock = path.with_name(f"{path.name}.holder"), FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        log.warning("%s: waiting for %s, which holds %s", what, _describe_holder(holder), path)
        lock.acquire()
    try:
        with suppress(OSError):
            holder.write_text(str(os.getpid()))
        yield
    finally:
        lock.release()


def find_lock_folder(other: Path) -> Path | None:
    """One in the temporary folder that is this user's alone, else `other`, where the first is somebody else's; None where
    neither can be made."""
    user = getattr(os, "getuid", getpass.getuser)()
    for folder in (Path(gettempdir()) / f"lta-{user}", other):
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
                return folder
    return None


def _describe_holder(holder: Path) -> str:
    try:
        number = int(holder.read_text())
        status = Path(f"/proc/{number}/status").read_text()
    except (OSError, ValueError):
        return "another process"
    stopped = " (it is stopped: kill -CONT or -KILL it)" if "\nState:\tT" in status else ""
    return f"process {number}{stopped}"
