"""What is in files: a digest of each, kept, and taken anew where anything says that the file may be another one."""

import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from lta.runtime.files import replace_file

log = logging.getLogger(__name__)

VERIFY = ("changed", "full")

SETTLED = 2_000_000_000
"""ns: a file that changed so shortly before it was read may have changed again within the file system's own resolution."""

CHUNK = 64


class Known(NamedTuple):
    """A digest, the file's stamp, and when (ns) it was read."""

    stamp: tuple[int, ...]
    read: int
    digest: bytes


NOTHING = Known((), 0, b"")


class Contents(NamedTuple):
    """Of each file: `digests`, 16 bytes, b"" for one that can't be read; `stamps`, what the system says of it."""

    digests: list[bytes]
    stamps: list[tuple[int, ...]]

    @property
    def tokens(self) -> Int64[np.ndarray, " files"]:
        """A number for each content. Two in a million files share one by chance in one case of 37 million."""
        return np.array([to_token(digest) for digest in self.digests], np.int64)


def digest_files(root: Path, names: Sequence[str], cache: Path | None, verify: str = "changed") -> Contents:
    """Of the files `names` below `root`, links followed.

    Digests are kept in the folder `cache`, by the file's path, size, mtime, ctime and inode: a file is read again when one
    of them differs (ctime moves when mtime is set), and with `verify="full"` in any case. What one job of a sweep has read
    in full, the others don't read again (`$LTA_VERIFIED_SINCE`, a time in ns).
    """
    kept_in = cache / "contents" / f"{root.name}-{make_digest(os.fsencode(root)).hex()}.json" if cache else None
    known = _read_record(kept_in) if kept_in else {}
    since = int(os.environ.get("LTA_VERIFIED_SINCE", 0)) or time.time_ns()
    stamps = [read_stamp(os.path.join(root, name)) for name in names]
    found: list[bytes | None] = [None] * len(names)
    for number, (name, stamp) in enumerate(zip(names, stamps, strict=True)):
        before, read, digest = known.get(name, NOTHING)
        if before == stamp and max(stamp[1:3]) + SETTLED < read and (verify != "full" or read >= since):
            found[number] = digest
    missing = [number for number, digest in enumerate(found) if digest is None]
    now = time.time_ns()
    for number, digest in zip(missing, _read_all([os.path.join(root, names[number]) for number in missing]), strict=True):
        found[number] = digest
        if digest:
            known[names[number]] = Known(stamps[number], now, digest)
    if missing and kept_in:
        _write_record(kept_in, known)
    return Contents([digest or b"" for digest in found], stamps)


def read_stamp(file: str) -> tuple[int, ...]:
    """Size, mtime and ctime (ns), inode; zeros for what is no file or can't be looked at."""
    try:
        status = os.stat(file)
    except OSError:
        return 0, 0, 0, 0
    if not stat.S_ISREG(status.st_mode):
        return 0, 0, 0, 0
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def make_digest(content: bytes | memoryview) -> bytes:
    """BLAKE2b of 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()


def to_token(digest: bytes) -> int:
    """The first 8 bytes of a digest as one signed integer, big-endian."""
    return int.from_bytes(digest[:8], "big", signed=True)


def digest_array(array: np.ndarray) -> bytes:
    """Of a contiguous array's bytes; the chunks of 16 MB are read by several threads."""
    flat = array.reshape(-1).view(np.uint8)
    step = 1 << 24
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        parts = pool.map(lambda start: make_digest(flat[start : start + step].data), range(0, flat.size, step))
        return make_digest(repr((array.shape, str(array.dtype))).encode() + b"".join(parts))


def _read_all(files: Sequence[str]) -> list[bytes]:
    if not files:
        return []
    if len(files) > CHUNK:
        log.info("computing the checksums of %d files", len(files))
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        try:
            return list(pool.map(_digest_file, files, chunksize=CHUNK))
        except BaseException:  # Ctrl-C must not wait for all that is queued
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _digest_file(file: str) -> bytes:
    if not os.path.isfile(file):  # a pipe would be waited for
        return b""
    try:
        with open(file, "rb") as stream:
            return make_digest(stream.read())
    except OSError:  # reported when it is decoded
        return b""


def _read_record(path: Path) -> dict[str, Known]:
    """By name; {} where there is none that can be used."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        record = json.loads(path.read_text()).items()
        return {
            name: Known(tuple(map(int, stamp)), int(read), bytes.fromhex(digest)) for name, (stamp, read, digest) in record
        }
    return {}


def _write_record(path: Path, known: dict[str, Known]) -> None:
    """That it can't be written is said where the array can't."""
    record = {name: [one.stamp, one.read, one.digest.hex()] for name, one in known.items()}
    with suppress(OSError), replace_file(path) as file:
        file.write(json.dumps(record).encode())
