"""A picture as a file, whole or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from lta.pictures.read import Picture

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 3}), ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}), ".webp": ("WEBP", {"quality": 95}), ".tiff": ("TIFF", {}),
    ".tif": ("TIFF", {}),
}  # fmt: skip
"""By suffix Pillow's name, and how it is written."""


def write(path: Path, pixels: UInt8[Tensor, "channels height width"], like: Picture | None = None) -> None:
    """`pixels`: RGB, or RGBA where the format can keep it. The colour profile of `like` is kept.

    Raises ValueError where the suffix is none of FORMATS, where JPEG is to keep alpha, where `path` is the very file that
    `like` was read from, and where it can't be written; what was there stays.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: pictures are written as {', '.join(FORMATS)}")
    kind, options = FORMATS[path.suffix.lower()]
    if pixels.shape[0] == 4 and kind == "JPEG":
        raise ValueError(f"{path}: JPEG keeps no transparency; choose .png, .webp or .tiff")
    if like is not None and like.path is not None and path.exists() and path.samefile(like.path):
        raise ValueError(f"{path} is the picture itself: it is not overwritten")
    if like is not None and like.profile:
        options = {**options, "icc_profile": like.profile}
    part = path.with_name(f".{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(part, kind, **options)
        os.replace(part, path)
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
