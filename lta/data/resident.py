"""One copy of a data set's pictures for all processes of a machine: ranks, jobs of a sweep, one run after another."""

import hashlib
import logging
from pathlib import Path

import numpy as np

from lta.runtime.files import replace_file
from lta.runtime.locks import hold_lock

log = logging.getLogger(__name__)

SMALLEST = 1 << 24
"""Bytes; less is not worth a file."""


def share_images(images: np.ndarray, name: str, folder: Path | None) -> np.ndarray:
    """The same values, read-only and memory-mapped from a file in `folder` that is named by them; made if it is not there.

    The system keeps the file's pages once for all processes that read them, and frees them when memory is short. Small
    arrays, and all where `folder` is None or can't be written, which is said in a line, stay as they are.
    """
    if folder is None or images.nbytes < SMALLEST:
        return images
    images = np.ascontiguousarray(images)
    digest = hashlib.blake2b(images.data, digest_size=10).hexdigest()
    path = folder / f"{name}-{'x'.join(map(str, images.shape[:3]))}-{digest}.npy"
    try:
        if not _is_there(path, images):
            _write(path, images)
        return np.asarray(np.load(path, mmap_mode="r"))
    except (OSError, ValueError) as error:
        log.warning("%s can't be used (%s): each process keeps its own copy of the pictures", path, error)
        return images


def _write(path: Path, images: np.ndarray) -> None:
    """By one process at a time: another one's file, put in the place of one that is in use, would be a second copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(path.with_name(f".{path.name}.lock"), path.name):
        if not _is_there(path, images):
            with replace_file(path) as file:
                np.save(file, images)
            log.info("kept as %s (%d MB): one copy for all processes", path, images.nbytes / 1e6)


def _is_there(path: Path, images: np.ndarray) -> bool:
    """Whether the file holds them. A damaged one is named."""
    if not path.exists():
        return False
    try:
        there = np.array_equal(np.load(path, mmap_mode="r"), images)
    except (OSError, ValueError, EOFError):
        there = False
    if not there:
        log.warning("%s is damaged and is made again", path)
    return there
