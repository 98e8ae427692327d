"""Many picture files into one uint8 array: decoded once, kept as .npy, memory-mapped ever after.

The cache file is named by a hash over the relative file names, their sizes and mtimes, the decoding parameters, and the
bytes of a few of the files (uncompressed pictures out of an archive agree in everything else). It is written beside its
final name and renamed when complete, so that a killed or a second process never leaves half an array to be read.
"""

import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from lta.data.errors import DataError
from lta.runtime.cache import Cache, cache_folder
from lta.runtime.files import replace_file

log = logging.getLogger(__name__)

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".pbm", ".gif", ".webp", ".tif", ".tiff"})
FORMATS = ("JPEG", "PNG", "BMP", "PPM", "GIF", "WEBP", "TIFF")  # nothing else is tried: faster, and less to attack
ORIENTATION = 0x0112  # the EXIF tag
DECODING = 1  # part of the key: raise it when the same file would come out with other pixels
CHUNK = 64
SMALL_FILE = 4096
"""Below this mean size (bytes) one thread decodes faster than several: what is left is Python, which holds the lock."""


class Decoded(NamedTuple):
    images: np.ndarray
    """uint8 (files kept, height, width, 3); read-only and memory-mapped where it lies in the cache."""
    kept: np.ndarray
    """bool (files,): False where a broken file was skipped."""


def read_images(
    root: Path,
    names: Sequence[str],
    size: tuple[int, int],
    cache: Cache = None,
    on_broken: str = "error",
    boxes: np.ndarray | None = None,
    ways_on: str = "repair or delete them, or set data.on_broken=skip",
) -> Decoded:
    """The pictures `names` (paths below `root`) at `size` (height, width), from the cache if they are there.

    Without a cache the array is kept in memory, and with one that can't be written, which is said in a line.
    `on_broken`: "error" raises one DataError for all files that can't be read, which ends in `ways_on`; "skip" leaves
    them out with a warning. `boxes`, float64 (files, 4): what is cut out of each picture, see `cut_out`; without them
    pictures of other proportions are cut by `fit_to_size`.
    """
    if on_broken not in ("error", "skip"):
        raise ValueError(f"data.on_broken={on_broken} must be one of error, skip")
    folder = cache_folder(cache, "data.cache")
    path = folder / f"{root.name}-{size[0]}x{size[1]}-{_make_key(root, names, size, boxes)}.npy" if folder else None
    decoded = _read_cache(path, len(names), size) if path else None
    reasons: dict[int, str] = {}
    if fresh := decoded is None:
        log.info("decoding %d pictures of %s", len(names), root)
        decoded, reasons = _decode_all(root, names, size, boxes)
    if not decoded.kept.all():
        broken = _describe_broken(names, np.flatnonzero(~decoded.kept), reasons)
        if on_broken == "error" or not decoded.kept.any():
            raise DataError(f"{root}: {broken} can't be read; {ways_on}")
        log.warning("%s: %s can't be read and are skipped", root, broken)
    return _write_cache(path, decoded) if fresh and path else decoded


def open_rgb(file: str | Path, at_least: tuple[int, int] | None = None) -> Image.Image:
    """One picture, see `to_upright_rgb`. `at_least` (height, width) lets a JPEG be decoded at 1/2, 1/4 or 1/8 if that leaves
    twice those pixels. Raises what Pillow raises.
    """
    with open(file, "rb") as stream:
        data = stream.read()
    if not data:
        raise ValueError("empty file")
    Image.init()
    image = Image.open(BytesIO(data), formats=FORMATS)
    if at_least and image.format == "JPEG":
        image.draft("RGB", (2 * max(at_least), 2 * max(at_least)))
    return to_upright_rgb(image)


def to_upright_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, upright (EXIF). Transparent pixels are laid on white; 16-bit grey is scaled, not clipped; of an
    animation, the frame that it stands at. Raises what Pillow raises, and ValueError for pixels without a known range.
    """
    image.load()
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    return _to_rgb(image, is_16_bit)


def fit_to_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Shortest side scaled to `size` (height, width), centre cut out; antialiased bicubic. Unchanged if it fits."""
    height, width = size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)


def cut_out(image: Image.Image, size: tuple[int, int], box: Sequence[float]) -> Image.Image:
    """`box` (x and y of the upper left corner, width, height; pixels, rounded to whole ones), as far as it lies in the
    picture, scaled to `size` (height, width) whatever its proportions; antialiased bicubic. An endless box takes the
    whole picture. Raises ValueError where no pixel lies in the box.
    """
    x, y, width, height = box
    left, upper = round(max(x, 0)), round(max(y, 0))
    right, lower = round(min(x + width, image.width)), round(min(y + height, image.height))
    if left >= right or upper >= lower:
        raise ValueError(f"none of its {image.width}x{image.height} pixels lie in the box {x:g} {y:g} {width:g} {height:g}")
    return image.crop((left, upper, right, lower)).resize((size[1], size[0]), Image.Resampling.BICUBIC)


def _to_rgb(image: Image.Image, is_16_bit: bool) -> Image.Image:
    if is_16_bit:
        grey = np.asarray(image).astype(np.float32)  # 0 to 65535; Pillow's own conversion would clip at 255
        return Image.fromarray(np.rint(grey / 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("32-bit pixels of unknown range")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _decode_all(
    root: Path, names: Sequence[str], size: tuple[int, int], boxes: np.ndarray | None
) -> tuple[Decoded, dict[int, str]]:
    """All pictures, and for the broken ones their position and the reason."""
    images = np.zeros((len(names), *size, 3), np.uint8)
    reasons: dict[int, str] = {}

    def decode_one(position: int) -> Image.Image:
        file = os.path.join(root, names[position])
        if boxes is None:
            return fit_to_size(open_rgb(file, size), size)
        return cut_out(open_rgb(file), size, boxes[position].tolist())  # at full scale, in whose pixels boxes are given

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
    sample = [_size_and_time(os.path.join(root, name))[0] for name in names[::100]]
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
    return Decoded(images if kept.all() else images[kept], kept), reasons


def describe_error(error: Exception) -> str:
    """Why a picture could not be read, in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return "decompression bomb: more pixels than Pillow allows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _describe_broken(names: Sequence[str], broken: np.ndarray, reasons: dict[int, str]) -> str:
    """The count, and the first five with the reason where it is known (it is not kept in the cache)."""
    first = [repr(names[n]) + (f" ({reasons[n]})" if n in reasons else "") for n in broken[:5].tolist()]
    more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
    return f"{len(broken)} of {len(names)} picture files: {', '.join(first)}{more}"


def _make_key(root: Path, names: Sequence[str], size: tuple[int, int], boxes: np.ndarray | None) -> str:
    digest = hashlib.sha256(repr((DECODING, *size, len(names))).encode())
    if boxes is not None:
        digest.update(boxes.tobytes())
    for name in names:
        digest.update(os.fsencode(name) + b"\0%d %d\n" % _size_and_time(os.path.join(root, name)))
    for name in names[:: max(len(names) // 8, 1)]:
        with suppress(OSError):  # unreadable: reported when it is decoded
            digest.update((root / name).read_bytes())
    return digest.hexdigest()[:20]


def _size_and_time(file: str) -> tuple[int, int]:
    """Bytes and mtime (ns); zeros for a file that can't be looked at, which is reported when it is decoded."""
    try:
        status = os.stat(file)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _read_cache(path: Path, files: int, size: tuple[int, int]) -> Decoded | None:
    """What `_write_cache` wrote, or None where there is nothing, or something else."""
    try:
        images = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            file.seek(images.offset + images.nbytes)
            kept = np.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s can't be used and is made anew (%s)", path, describe_error(error))
        return None
    if images.dtype != np.uint8 or images.shape != (kept.sum(), *size, 3) or kept.shape != (files,):
        log.warning("%s can't be used and is made anew (unexpected contents)", path)
        return None
    return Decoded(np.asarray(images), kept)


def _write_cache(path: Path, decoded: Decoded) -> Decoded:
    """Writes both arrays into one file, the images first, and returns them as read back; in memory if that fails."""
    try:
        with replace_file(path) as file:
            np.save(file, decoded.images)
            np.save(file, decoded.kept)
        log.info("kept as %s (%d MB)", path, decoded.images.nbytes / 1e6)
    except OSError as error:
        log.warning("%s can't be written (%s): the pictures stay in memory", path.parent, error.strerror or error)
        return decoded
    return _read_cache(path, len(decoded.kept), decoded.images.shape[1:3]) or decoded
