"""One picture of any size and format: its pixels upright, its transparency, its colour profile, what was decided for it."""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO, IOBase
from pathlib import Path
from threading import Lock
from typing import IO, Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lta.pictures.formats import HELP, is_heif, register_formats
from lta.pictures.grey_range import Range
from lta.pictures.mend import JPEG, PNG, mend_file
from lta.pictures.metadata import read_exif

NOT_READ = frozenset({"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5"})
"""Of what Pillow knows: drawings (EPS would start Ghostscript), films, and files that it can name but not decode."""

STILL = {"MPO": "the first", "TIFF": "the first", "PSD": "all layers together, not one"}
"""Formats whose files hold several pictures without being animated, and what is taken: phones write MPO, the first of which
is the photograph; scanners write TIFF with pages or small copies."""

ORIENTATION = 0x0112  # the EXIF tag
STRIP = 256  # rows that are converted at a time: a third copy of the whole picture is never made

_limit = Lock()


class UnusablePicture(ValueError):
    """The text, one line, names the file and why it can't be used."""


class Picture(NamedTuple):
    """`path` is None for what was not read from a file named by the caller; `profile` an ICC profile for RGB; `format`
    Pillow's name of the file's format; `notes` say what was decided for the user, each a few words; `exif` is what of the
    camera's notes is still true (lta.pictures.metadata)."""

    path: Path | None
    rgb: UInt8[Tensor, "3 height width"]
    alpha: UInt8[Tensor, "height width"] | None
    profile: bytes | None
    format: str
    notes: tuple[str, ...]
    exif: bytes | None = None

    @property
    def on_white(self) -> UInt8[Tensor, "3 height width"]:
        """As networks see it: where it is transparent white shows, as in training, and not what is stored below."""
        if self.alpha is None:
            return self.rgb
        seen, missing = torch.empty_like(self.rgb), 255 - self.alpha.int()
        for channel, values in zip(seen, self.rgb, strict=True):  # one at a time: whole numbers take four times the memory
            channel.copy_((values.int() * (255 - missing) + 255 * missing + 127) // 255)
        return seen


def read_image(
    source: Path | str | bytes | bytearray | memoryview | IOBase,
    largest: int = 200_000_000,
    grey_range: Range | None = None,
) -> Picture:
    """A picture, from a file's path, its bytes, or a stream open for reading.

    It stands upright (EXIF). Transparency is kept apart; the colours below it are as stored. Grey becomes three equal
    channels: of 16 bits exactly (65535 is 255) or from `grey_range` (lowest, highest), of 32-bit whole and floating-point
    numbers by the picture's own lowest and highest value, NaN as black. CMYK, LAB and the like become RGB, without their
    colour profile. Of colours with 16 bits a channel Pillow reads the upper 8. What of this was done stands in `notes`.

    Raises UnusablePicture for what is missing, broken, animated, no picture, or has more than `largest` pixels (found
    before they are decoded).
    """
    named = isinstance(source, (str, Path))
    path = Path(source) if named else None
    name = str(path or getattr(source, "name", None) or "the picture")
    try:
        with _open_stream(source) as stream:
            stream.seek(0)
            if stream.read(len(PNG)).startswith((PNG, JPEG)):  # others are not read as a whole
                stream.seek(0)
                content, mended = mend_file(stream.read())
                return Picture(path, *_decode_image(_open_image(BytesIO(content), largest), mended, grey_range))
            return Picture(path, *_decode_image(_open_image(stream, largest), (), grey_range))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise anything from SyntaxError to struct.error
        raise UnusablePicture(f"{name}: {_describe_error(error)}") from error


def _open_stream(source: Any) -> Any:
    if isinstance(source, (str, Path)):
        if not os.path.lexists(source):
            raise UnusablePicture("there is no such file")
        if os.path.isdir(source):
            raise UnusablePicture("is a folder, not a picture")
        if not os.path.isfile(source):  # a pipe would be waited for, and /dev/zero never ends
            raise UnusablePicture("is not a regular file")
        return open(source, "rb")
    return BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else nullcontext(source)


def _open_image(stream: IOBase, largest: int) -> Image.Image:
    """Pillow's own `Image.open` warns or raises by a limit that is global to the process; this one asks for `largest`."""
    register_formats()
    stream.seek(0)
    start = stream.read(16)
    if not start:
        raise UnusablePicture("is empty")
    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(start)
        if not accepted or isinstance(accepted, str):
            continue
        if name in NOT_READ and accept is not None:
            raise UnusablePicture(f"has the format {name}, which lta does not read")
        stream.seek(0)
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # not of this format after all, as in Pillow
            image = factory(cast("IO[bytes]", stream), "")
            break
    else:
        if is_heif(start):
            raise UnusablePicture(f"has the format HEIC, which lta can't read here: {HELP}")
        raise UnidentifiedImageError
    if image.width * image.height > largest:
        raise UnusablePicture(f"has {image.width} x {image.height} pixels; at most {largest:,} are read")
    if image.format not in STILL and getattr(image, "is_animated", False):
        raise UnusablePicture("is animated; save one of its frames as a picture")
    return image


def _decode_image(
    image: Image.Image, mended: Sequence[str] = (), grey_range: Range | None = None
) -> tuple[Tensor, Tensor | None, bytes | None, str, tuple[str, ...], bytes | None]:
    notes = list(mended)
    form, mode, exif = str(image.format), image.mode, read_exif(image)
    if (count := getattr(image, "n_frames", 1)) > 1 and form in STILL:
        notes.append(f"{STILL[form]} of {count} pictures in the file")
    if _has_sixteen_bits(image):
        notes.append("16 bits per channel, shown with 8")
    grey_16 = mode.startswith("I;16") or (mode == "I" and form in ("PNG", "PPM"))  # older versions of Pillow read these as I
    with _allow_pixels(image.width * image.height):
        image.load()
        image = _turn_upright(image, notes)
        if grey_16 or mode in ("I", "F"):
            rgb, alpha = _convert_grey(image, grey_16, notes, grey_range)
        else:
            rgb, alpha = _convert_colours(image)
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"{mode} turned into RGB")
    profile = image.info.get("icc_profile") or None
    if profile and profile[16:20] != b"RGB ":
        notes.append("its colour profile is not one for RGB and is left out")
        profile = None
    return rgb, alpha, profile, form, tuple(notes), exif


@contextmanager
def _allow_pixels(pixels: int) -> Iterator[None]:
    """Some of Pillow's methods ask for its global limit once more; it is raised only for a picture that needs it."""
    if Image.MAX_IMAGE_PIXELS is None or pixels <= Image.MAX_IMAGE_PIXELS:
        yield
        return
    with _limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _has_sixteen_bits(image: Image.Image) -> bool:
    tiles = getattr(image, "tile", None) or []
    return image.mode.startswith("I;16") or any(";16" in str(tile[3]) for tile in tiles)


def _turn_upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a spoilt EXIF block does not spoil the pixels
        notes.append("its EXIF data can't be read: shown as stored")
        return image
    if orientation not in range(2, 9):
        return image
    notes.append(f"turned upright (EXIF orientation {orientation})")
    return ImageOps.exif_transpose(image)


def _convert_colours(image: Image.Image) -> tuple[UInt8[Tensor, "3 height width"], UInt8[Tensor, "height width"] | None]:
    in_palette = image.mode == "P" and image.palette is not None and image.palette.mode.endswith("A")
    transparent = image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info or in_palette
    mode = "RGBA" if transparent else "RGB"
    pixels = torch.empty((len(mode), image.height, image.width), dtype=torch.uint8, device="cpu")
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        strip = strip.convert("LA") if strip.mode == "La" else strip
        pixels[:, top : top + STRIP] = torch.from_numpy(np.array(strip.convert(mode))).permute(2, 0, 1)
    return pixels[:3], pixels[3] if transparent else None


def _convert_grey(
    image: Image.Image, is_16_bit: bool, notes: list[str], grey_range: Range | None
) -> tuple[UInt8[Tensor, "3 height width"], UInt8[Tensor, "height width"] | None]:
    values = np.asarray(image)
    if is_16_bit and grey_range:
        low, high = grey_range
        grey = np.rint((values.astype(np.float32).clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
        notes.append(f"grey from {low:g} to {high:g}, shown as 0 to 255")
    elif is_16_bit:
        grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)  # rounded, without the halves that 257 never makes
    else:
        grey, low, high = _stretch_grey(values.astype(np.float64))
        notes.append(
            f"{'32-bit' if image.mode == 'I' else 'floating-point'} grey from {low:g} to {high:g}, shown as 0 to 255"
        )
    rgb = torch.from_numpy(grey).expand(3, *grey.shape).contiguous()
    hidden = image.info.get("transparency")
    alpha = None if hidden is None else torch.from_numpy(np.where(values == hidden, 0, 255).astype(np.uint8))
    return rgb, alpha


def _stretch_grey(values: Float[np.ndarray, "height width"]) -> tuple[Shaped[np.ndarray, "height width"], float, float]:
    """0 to 255 from the lowest to the highest finite value, and these two; 0 where they are one."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (values.clip(low, high) - low) * (255 / (high - low) if high > low else 0)
    return np.rint(np.nan_to_num(scaled)).astype(np.uint8), low, high


def _describe_error(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "is no picture of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return "holds more pixels than it says"
    if isinstance(error, OSError) and error.strerror:
        return f"can't be read: {error.strerror}"
    if isinstance(error, struct.error):  # of Pillow's own reading: its text is about bytes and offsets
        return "can't be read: the file is cut off or broken"
    text = " ".join(str(error).split())
    return text if isinstance(error, UnusablePicture) else f"can't be read: {text or type(error).__name__}"


read = read_image
"""The documented name in version 0.1, which scripts may use."""
