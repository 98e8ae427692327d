"""What is taken from a visitor: how large a file, how large a picture, and what is kept of it."""

import os
from io import BytesIO
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lta import checks
from lta.pictures.grey_range import Range
from lta.pictures.read import Picture, UnusablePicture, read_image

PREVIEW = 800_000
"""Pixels: pictures with more are scaled to this many while controls are moved; files are made of all their pixels."""

MEGABYTE = 2**20
LONGEST_NAME = 150  # bytes, without the ending


class Limits(NamedTuple):
    """`bytes` of a file, `pixels` of a picture, at most."""

    bytes: int
    pixels: int


def make_limits(megabytes: Any, megapixels: Any) -> Limits:
    """Raises ValueError where they are not positive numbers."""
    for key, value in (("megabytes", megabytes), ("megapixels", megapixels)):
        checks.require_number(f"largest.{key}", value, 0, 10_000, without_low=True)
    return Limits(round(megabytes * MEGABYTE), round(megapixels * 1e6))


def read_upload(file: str | Path, most: Limits) -> tuple[str, bytes]:
    """An uploaded file's name and content. Raises UnusablePicture where it is larger than `most` allows, or gone: the same
    file from two pages at once lies in one place."""
    name = shorten_name(Path(file).name)
    try:
        size = os.stat(file).st_size
        if size > most.bytes:
            raise UnusablePicture(f"{name} has {size / MEGABYTE:.1f} MB; at most {most.bytes / MEGABYTE:g} MB are allowed")
        return name, Path(file).read_bytes()
    except OSError as error:
        raise UnusablePicture(f"{name} could not be read; give it again ({error.strerror})") from error


def decode_image(name: str, content: bytes, most: Limits, grey_range: Range | None = None) -> Picture:
    """Raises UnusablePicture, before anything is decoded where it has more pixels than `most` allows."""
    stream = BytesIO(content)
    stream.name = name  # what is said of it names it
    return read_image(stream, most.pixels, grey_range)


def make_preview(picture: Picture, pixels: int = PREVIEW) -> Picture:
    """The same with at most so many pixels."""
    height, width = picture.rgb.shape[1:]
    smaller = sqrt(height * width / pixels)
    if smaller <= 1:
        return picture
    layers = picture.rgb if picture.alpha is None else torch.cat([picture.rgb, picture.alpha[None]])
    image = Image.fromarray(layers.permute(1, 2, 0).contiguous().numpy())
    size = (max(1, int(width / smaller)), max(1, int(height / smaller)))
    scaled = torch.from_numpy(np.array(image.resize(size, Image.Resampling.LANCZOS))).permute(2, 0, 1).contiguous()
    return picture._replace(rgb=scaled[:3], alpha=None if picture.alpha is None else scaled[3])


def shorten_name(name: str) -> str:
    """A name of one line, of letters that can be seen, with its ending; not longer than file systems like it."""
    seen = "".join(letter for letter in name if letter.isprintable()).strip() or "picture"
    stem, ending = os.path.splitext(seen)
    return stem.encode()[:LONGEST_NAME].decode(errors="ignore") + ending[:10]
