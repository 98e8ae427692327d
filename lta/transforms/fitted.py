"""What `fit` measured, kept on disk: the same measurement of the same pictures is made once."""

import hashlib
import io
import logging
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lta.runtime.cache import make_machine_lock
from lta.runtime.files import replace_file
from lta.transforms.pictures import ImageArray

log = logging.getLogger(__name__)

State = dict[str, Tensor]
"""The buffers of a fitted module, by name."""

DIGEST = hashlib.sha256().digest_size


def load_or_measure(
    name: str, settings: dict[str, Any], images: ImageArray, folder: Path | None, measure: Callable[[ImageArray], State]
) -> State:
    """`measure(images)`, or what it gave before: read from `folder` (None: nothing is kept) where it is found there.

    `settings` are all that the result depends on beside the pictures, a version number of the algorithm among them.
    Several processes of one machine measure once: the others wait. One line of the log says which it was; files that are
    damaged or can't be written cost a line each, never the run.
    """
    path = folder / f"{name}-{_key(name, settings, images)}.fitted" if folder else None
    with make_machine_lock(name) if path else nullcontext():
        if path and (state := _read_state(path)):
            log.info("%s: measured before on these pictures, read from %s", name, path)
            return state
        log.info("%s: measuring %d pictures of %dx%d", name, *images.shape[:3])
        state = measure(images)
        if path:
            _write_state(path, state)
    return state


def _key(name: str, settings: dict[str, Any], images: ImageArray) -> str:
    digest = hashlib.sha256(repr((name, sorted(settings.items()), images.shape, images.dtype.str)).encode())
    for start in range(0, len(images), 1000):
        digest.update(np.ascontiguousarray(images[start : start + 1000]).data)
    return digest.hexdigest()[:20]


def _read_state(path: Path) -> State | None:
    """What `_write_state` wrote, or None where there is nothing, or something else. Nothing but tensors is unpickled."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:  # torch.load overlooks single wrong bytes
            raise ValueError("damaged")
        return torch.load(io.BytesIO(content[DIGEST:]), map_location="cpu", weights_only=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        log.warning("%s can't be used and is made again (%s)", path, reason)
        return None


def _write_state(path: Path, state: State) -> None:
    content = io.BytesIO()
    torch.save(state, content)
    try:
        with replace_file(path) as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
    except OSError as error:
        log.warning("%s can't be written (%s): measured again next time", path.parent, error.strerror or error)
