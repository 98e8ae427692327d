"""A picture of any size and format that Pillow opens, as eight-bit RGB with what else it brings."""

from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageMode, ImageOps
from torch import Tensor

LARGEST = 200_000_000
"""Pixels; a photograph has tens of millions."""

SEVERAL_ARE_ONE = ("MPO",)
"""Formats of phones and cameras: the first picture is the photograph, the others its preview, depth or other eye."""


class Picture(NamedTuple):
    """`path`: None of an open file. `profile`: the ICC profile. `notes`: what was decided about it, for the user to read."""

    path: Path | None
    rgb: UInt8[Tensor, "3 height width"]
    alpha: UInt8[Tensor, "height width"] | None
    profile: bytes | None
    notes: tuple[str, ...]


class UnusablePicture(ValueError):
    """Names the file and why it can't be used."""


def read(source: str | Path | BufferedIOBase, largest: int = LARGEST) -> Picture:
    """Turned as its EXIF orientation says. Grey becomes RGB; 16 bits a channel become 8.

    Raises UnusablePicture where it is missing, no picture, broken, animated, or has more than `largest` pixels: that is
    seen before it is unpacked.
    """
    path = Path(source) if isinstance(source, (str, Path)) else None
    name = str(path or getattr(source, "name", None) or "the picture")
    try:
        with Image.open(path or source) as opened:
            _check(opened, name, largest)
            notes = [f"of the {opened.n_frames} pictures in it the first"] if getattr(opened, "n_frames", 1) > 1 else []
            profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA", "P", "PA") else None
            opened.load()
            if ImageMode.getmode(opened.mode).basetype != "L" or opened.mode.startswith("I;16"):
                pixels, note = _deep(opened)
                notes.append(note)
                opened = ImageOps.exif_transpose(pixels)  # it has the original's EXIF data
            else:
                opened = ImageOps.exif_transpose(opened)
            rgb, alpha = _channels(opened)
    except UnusablePicture:
        raise
    except FileNotFoundError as error:
        raise UnusablePicture(f"{name}: there is no such file") from error
    except Image.DecompressionBombError as error:
        raise UnusablePicture(f"{name} has more pixels than can be used: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise UnusablePicture(f"{name} is no picture of a kind that Pillow reads") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnusablePicture(f"{name} can't be read: {why.splitlines()[0]}") from error
    return Picture(path, rgb, alpha, profile, tuple(notes))


def _check(opened: Image.Image, name: str, largest: int) -> None:
    width, height = opened.size
    if width * height > largest:
        raise UnusablePicture(f"{name} has {width} x {height} pixels, more than the {largest:,} allowed")
    frames = getattr(opened, "n_frames", 1)
    if frames > 1 and opened.format not in SEVERAL_ARE_ONE:
        kind = (
            "is animated" if getattr(opened, "is_animated", False) and opened.format != "TIFF" else "holds several pictures"
        )
        raise UnusablePicture(f"{name} {kind} ({frames} frames): give one of them as a file of its own")


def _deep(opened: Image.Image) -> tuple[Image.Image, str]:
    """More than eight bits a pixel, in grey; with the original's EXIF data."""
    values = np.asarray(opened)
    if opened.mode == "F":
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        note = f"its values from {low:g} to {high:g} are shown as 0 to 255"
        grey = np.nan_to_num((values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)).clip(0, 255)
    elif opened.mode == "1":
        return opened.convert("L"), "it has black and white only"
    else:
        low, high = int(values.min()), int(values.max())
        if low >= 0 and high <= 65535:
            grey, note = values / 257, "its 16 bits a pixel are shown with 8"
        else:
            note = f"its values from {low} to {high} are shown as 0 to 255"
            grey = (values.astype(np.float64) - low) * (255 / max(high - low, 1))
    shown = Image.fromarray(np.rint(grey).astype(np.uint8))
    shown.getexif().load(opened.getexif().tobytes())
    return shown, note


def _channels(opened: Image.Image) -> tuple[Tensor, Tensor | None]:
    if opened.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in opened.info:
        values = np.array(opened.convert("RGBA"))
        channels = torch.from_numpy(values).permute(2, 0, 1).contiguous()
        return channels[:3], channels[3]
    values = np.array(opened if opened.mode == "RGB" else opened.convert("RGB"))
    return torch.from_numpy(values).permute(2, 0, 1).contiguous(), None
