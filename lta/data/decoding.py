"""One picture file into 8-bit RGB, upright, at the size that a network takes."""

import os
import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lta.pictures.formats import register_formats
from lta.pictures.grey_range import Range
from lta.pictures.mend import mend_file

FORMATS = ("JPEG", "PNG", "BMP", "PPM", "GIF", "WEBP", "TIFF")  # nothing else is tried: faster, and less to attack
ORIENTATION = 0x0112  # the EXIF tag
"""Those of Pillow's own; `list_formats` has all."""
FULL = (0.0, 65535.0)  # of 16-bit grey
LONGEST = 4
"""Times the shorter side: longer pictures are squeezed, so that a strip does not fill the memory."""


def open_rgb(
    file: str | Path,
    at_least: tuple[int, int] | None = None,
    grey_range: Range | None = None,
    seen: list[Range] | None = None,
) -> Image.Image:
    """One picture, see `to_upright_rgb`. `at_least` (height, width) lets a JPEG be decoded at 1/2, 1/4 or 1/8 if that leaves
    twice those pixels. Raises what Pillow raises, and ValueError for what is no regular file: a pipe would be waited for.
    """
    if os.path.exists(file) and not os.path.isfile(file):
        raise ValueError("not a regular file")
    with open(file, "rb") as stream:
        data = stream.read()
    if not data:
        raise ValueError("empty file")
    image = Image.open(BytesIO(mend_file(data)[0]), formats=list_formats())
    if at_least and image.format == "JPEG":
        image.draft("RGB", (2 * max(at_least), 2 * max(at_least)))
    return to_upright_rgb(image, grey_range, seen)


def list_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read."""
    return (*FORMATS, "HEIF") if register_formats() else FORMATS


def to_upright_rgb(image: Image.Image, grey_range: Range | None = None, seen: list[Range] | None = None) -> Image.Image:
    """8-bit RGB, upright (EXIF). Transparent pixels are laid on white; of an animation, the frame that it stands at. 16-bit
    grey is scaled, not clipped, from `grey_range` (None: 0 to 65535), and what it holds is added to `seen`. Raises what
    Pillow raises, and ValueError for pixels without a known range.
    """
    image.load()
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if not is_16_bit:
        return _to_rgb(image)
    grey = np.asarray(image).astype(np.float32)  # Pillow's own conversion would clip at 255
    if seen is not None:
        seen.append((float(grey.min()), float(grey.max())))
    low, high = grey_range or FULL
    return Image.fromarray(np.rint((grey.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)).convert("RGB")


def fit_to_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Shortest side scaled to `size` (height, width), centre cut out; antialiased bicubic. Unchanged if it fits."""
    height, width = size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)


def choose_size(size: tuple[int, int], short: int, step: int) -> tuple[int, int]:
    """(height, width) for a picture of `size` (height, width), whose shorter side becomes `short`; both are multiples of
    `step`, so that the proportions are kept as far as these allow, and none is above LONGEST times `short`."""
    scale = short / min(size)
    height, width = (max(step, round(min(side * scale, LONGEST * short) / step) * step) for side in size)
    return height, width


def scale_in_proportion(image: Image.Image, short: int, step: int) -> Image.Image:
    """The whole picture, scaled to `choose_size`; antialiased bicubic."""
    height, width = choose_size((image.height, image.width), short, step)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BICUBIC)


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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F"):
        raise ValueError("32-bit pixels of unknown range")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def describe_error(error: Exception) -> str:
    """Why a picture could not be read, in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return "decompression bomb: more pixels than Pillow allows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, struct.error):  # of Pillow's own reading: its text is about bytes and offsets
        return "the file is cut off or broken"
    return " ".join(str(error).split()) or type(error).__name__
