"""Pixels to a file: by the name's ending, whole or not at all."""

import os
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from lta.pictures.read import Picture
from lta.runtime.files import replace_file

JPEG = {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"}
TIFF = {"format": "TIFF", "compression": "tiff_adobe_deflate"}
OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 1},  # a third of the default's time, 3 % larger
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".webp": {"format": "WEBP", "quality": 95, "method": 1},
    ".tif": TIFF,
    ".tiff": TIFF,
}
"""What can be written; PNG and TIFF keep each pixel exactly, JPEG and WebP nearly."""

TRANSPARENT = tuple(ending for ending in OPTIONS if OPTIONS[ending] is not JPEG)
"""Endings of what may be transparent."""


def write_image(path: Path, pixels: UInt8[Tensor, "channels height width"], like: Picture | None = None) -> None:
    """RGB or RGBA `pixels` to `path`, in the format that its ending says; folders are made, a file of that name replaced.

    The colour profile of `like`, the picture they were made from, and its `exif` go with them (into TIFF the profile alone);
    its other data (comments, XMP) do not.

    Raises ValueError for an ending not in OPTIONS, transparent pixels in a JPEG, sizes the format can't hold, and where
    `path` is the very file that `like` was read from; OSError where nothing can be written. A file that is not complete
    never gets the name.
    """
    ending = path.suffix.lower()
    if ending not in OPTIONS:
        raise ValueError(f"{path}: pictures are written as {' '.join(OPTIONS)}, chosen by the name's ending")
    if pixels.shape[0] not in (3, 4) or 0 in pixels.shape:
        raise ValueError(f"{path}: an array of shape {tuple(pixels.shape)} is not a picture; give (3 or 4, height, width)")
    if pixels.shape[0] == 4 and ending not in TRANSPARENT:
        raise ValueError(f"{path}: a JPEG can't be transparent; choose {' '.join(TRANSPARENT)}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file")
    if like is not None and like.path is not None and path.exists() and os.path.samefile(path, like.path):
        raise ValueError(f"{path} is the picture that this one was made from; choose another name")
    image = Image.fromarray(pixels.detach().cpu().permute(1, 2, 0).contiguous().numpy())
    options = dict(OPTIONS[ending])
    if like is not None and like.profile:
        options["icc_profile"] = like.profile
    if like is not None and like.exif and options["format"] != "TIFF":
        options["exif"] = like.exif
    with replace_file(path) as file:
        try:
            image.save(file, **options)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:  # the disk, not the picture
                raise
            size = f"{image.width} x {image.height} pixels"
            raise ValueError(f"{path}: {size} can't be written as {options['format']}: {error}") from error


write = write_image
"""The documented name in version 0.1, which scripts may use."""
