"""Many picture files into one uint8 array: decoded once, kept as .npy, memory-mapped ever after.

The cache file is named by a hash over what the files hold (`lta.data.contents`) and how they are decoded. It is written
beside its final name and renamed when complete, so that a killed or a second process never leaves half an array to be read,
and carries a digest of its own, so that a disk's error is noticed.
"""

import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from PIL import Image
from tqdm import tqdm

from lta.data.contents import Contents, digest_array, digest_files, make_digest, read_stamp
from lta.data.decoding import FULL, cut_out, describe_error, fit_to_size, open_rgb
from lta.data.errors import DataError
from lta.pictures.grey_range import Range
from lta.runtime.cache import Cache, cache_folder, remove_leftovers
from lta.runtime.files import replace_file

log = logging.getLogger(__name__)

DECODING = 2  # part of the key: raise it when the same file would come out with other pixels
CHUNK = 64
SMALL_FILE = 4096
"""Below this mean size (bytes) one thread decodes faster than several: what is left is Python, which holds the lock."""

FAR = 4
"""16-bit grey is far from its full range where the highest value is less than a fourth of it, or the lowest above three."""


class Decoded(NamedTuple):
    """The pictures of a folder, decoded to one size."""

    images: np.ndarray
    """uint8 (files kept, height, width, 3); read-only and memory-mapped where it lies in the cache."""
    kept: np.ndarray
    """bool (files,): False where a broken file was skipped."""
    grey: Int64[np.ndarray, "3"]
    """How many pictures are grey with 16 bits, their lowest and highest value."""


def read_images(
    root: Path,
    names: Sequence[str],
    size: tuple[int, int],
    cache: Cache = None,
    on_broken: str = "error",
    boxes: Float64[np.ndarray, "files 4"] | None = None,
    ways_on: str = "repair or delete them, or set data.on_broken=skip",
    contents: Contents | None = None,
    grey_range: Range | None = None,
) -> Decoded:
    """The pictures `names` (paths below `root`) at `size` (height, width), from the cache if they are there.

    Without a cache the array is kept in memory, and with one that can't be written, which is said in a line.
    `on_broken`: "error" raises one DataError for all files that can't be read, which ends in `ways_on`; "skip" leaves
    them out with a warning. `boxes`: what is cut out of each picture, see `cut_out`; without them pictures of other
    proportions are cut by `fit_to_size`. `contents`: the files' digests, where they are known. `grey_range`: see
    `to_upright_rgb`. Raises DataError too where a file changes while it is read.
    """
    if on_broken not in ("error", "skip"):
        raise ValueError(f"data.on_broken={on_broken} must be one of error, skip")
    folder = cache_folder(cache, "data.cache")
    contents = contents or digest_files(root, names, folder)
    key = _make_key(contents, size, boxes, grey_range)
    path = folder / f"{root.name}-{size[0]}x{size[1]}-{key}.npy" if folder else None
    decoded = _read_cache(path, len(names), size) if path else None
    reasons: dict[int, str] = {}
    if fresh := decoded is None:
        log.info("decoding %d pictures of %s", len(names), root)
        decoded, reasons = _decode_all(root, names, size, boxes, grey_range)
        _check_unchanged(root, names, contents)
    if not decoded.kept.all():
        broken = _describe_broken(names, np.flatnonzero(~decoded.kept), reasons)
        if on_broken == "error" or not decoded.kept.any():
            raise DataError(f"{root}: {broken} can't be read; {ways_on}")
        log.warning("%s: %s can't be read and are skipped", root, broken)
    _warn_of_range(root, decoded.grey, grey_range)
    return _write_cache(path, decoded) if fresh and path else decoded


def _check_unchanged(root: Path, names: Sequence[str], contents: Contents) -> None:
    for name, stamp in zip(names, contents.stamps, strict=True):
        if read_stamp(os.path.join(root, name)) != stamp:
            raise DataError(f"{root}: {name} changed while it was read; run again when nothing writes there")


def _warn_of_range(root: Path, grey: np.ndarray, grey_range: Range | None) -> None:
    count, low, high = grey.tolist()
    start, end = grey_range or FULL
    width = end - start
    if count and (high < start + width / FAR or low > end - width / FAR):
        shown = "nearly black" if high < start + width / FAR else "nearly white"
        log.warning(
            "%s: %d 16-bit pictures use only values from %d to %d (of %g to %g) and look %s: give data.grey_range=[%d,%d]",
            *(root, count, low, high, start, end, shown, low, high),
        )


def _decode_all(
    root: Path, names: Sequence[str], size: tuple[int, int], boxes: np.ndarray | None, grey_range: Range | None
) -> tuple[Decoded, dict[int, str]]:
    """All pictures, and for the broken ones their position and the reason."""
    images = np.zeros((len(names), *size, 3), np.uint8)
    reasons: dict[int, str] = {}
    seen: list[Range] = []

    def decode_one(position: int) -> Image.Image:
        file = os.path.join(root, names[position])
        if boxes is None:
            return fit_to_size(open_rgb(file, size, grey_range, seen), size)
        whole = open_rgb(file, None, grey_range, seen)  # at full scale, in whose pixels boxes are given
        return cut_out(whole, size, boxes[position].tolist())

    def decode(chunk: range) -> int:
        for position in chunk:
            try:
                images[position] = np.asarray(decode_one(position))
            except MemoryError:
                raise
            except Exception as error:  # Pillow's readers raise anything from SyntaxError to struct.error
                reasons[position] = describe_error(error)
        return len(chunk)

    chunks = [range(start, min(start + CHUNK, len(names))) for start in range(0, len(names), CHUNK)]
    sample = [read_stamp(os.path.join(root, name))[0] for name in names[::100]]
    mean_size = sum(sample) / max(len(sample), 1)
    threads = 1 if mean_size < SMALL_FILE else min(os.cpu_count() or 1, 16)
    with (
        tqdm(total=len(names), unit="img", desc="decoding", disable=not sys.stderr.isatty()) as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        try:
            for done in pool.map(decode, chunks):
                bar.update(done)
        except BaseException:  # Ctrl-C must not wait for all that is queued
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    kept = np.ones(len(names), bool)
    kept[list(reasons)] = False
    lows, highs = zip(*seen, strict=True) if seen else ((0,), (0,))
    grey = np.array([len(seen), min(lows), max(highs)], np.int64)
    return Decoded(images if kept.all() else images[kept], kept, grey), reasons


def _describe_broken(names: Sequence[str], broken: np.ndarray, reasons: dict[int, str]) -> str:
    """The count, and the first five with the reason where it is known (it is not kept in the cache)."""
    first = [repr(names[n]) + (f" ({reasons[n]})" if n in reasons else "") for n in broken[:5].tolist()]
    more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
    return f"{len(broken)} of {len(names)} picture files: {', '.join(first)}{more}"


def _make_key(contents: Contents, size: tuple[int, int], boxes: np.ndarray | None, grey_range: Range | None) -> str:
    """Of what the array is made of, in whatever folder and under whatever names it lies."""
    settings = repr((DECODING, *size, len(contents.digests), grey_range)).encode()
    cut = b"" if boxes is None else boxes.tobytes()
    digests = b"".join(digest or b"\0" * 16 for digest in contents.digests)  # all of one length
    return make_digest(b"".join(make_digest(part) for part in (settings, cut, digests))).hex()[:20]


def _read_cache(path: Path, files: int, size: tuple[int, int]) -> Decoded | None:
    """What `_write_cache` wrote, or None where there is nothing, or something else."""
    if not path.is_file():
        return None
    try:
        images = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            file.seek(images.offset + images.nbytes)
            kept, grey, digest = (np.load(file) for _ in range(3))
    except Exception as error:  # numpy parses the header as Python
        log.warning("%s can't be used and is made again (%s)", path, describe_error(error))
        return None
    decoded = Decoded(np.asarray(images), kept, grey)
    if images.dtype != np.uint8 or images.shape != (kept.sum(), *size, 3) or kept.shape != (files,) or grey.shape != (3,):
        log.warning("%s can't be used and is made again (unexpected contents)", path)
    elif digest.tobytes() != _digest_decoded(decoded):
        log.warning("%s is damaged, as its digest shows, and is made again", path)
    else:
        return decoded
    return None


def _digest_decoded(decoded: Decoded) -> bytes:
    return make_digest(b"".join(digest_array(part) for part in decoded))


def _write_cache(path: Path, decoded: Decoded) -> Decoded:
    """Writes all arrays and their digest into one file, the images first, and returns them as read back; in memory if that
    fails."""
    try:
        remove_leftovers(path.parent)
        with replace_file(path) as file:
            for part in (*decoded, np.frombuffer(_digest_decoded(decoded), np.uint8)):
                np.save(file, part)
        log.info("kept as %s (%d MB)", path, decoded.images.nbytes / 1e6)
    except OSError as error:
        log.warning("%s can't be written (%s): the pictures stay in memory", path.parent, error.strerror or error)
        return decoded
    return _read_cache(path, len(decoded.kept), decoded.images.shape[1:3]) or decoded
