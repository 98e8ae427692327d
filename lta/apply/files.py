"""A picture's attention made into effects, each a file, and a sheet of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from lta.apply.sources import Source
from lta.effects.blurout import hides
from lta.effects.heatmap import heatmap
from lta.effects.transparency import apply_effect
from lta.pictures.metadata import leave_out_place
from lta.pictures.read import Picture, read_image
from lta.pictures.write import write_image
from lta.protocols import Effect
from lta.viz.sheet import Tile, sheet

TILE = 512
"""Pixels along the longer side of a picture on a sheet."""

COLUMNS = 3


def apply_effects(
    path: Path, wanted: Mapping[str, tuple[Effect, Path]], sheet_file: Path, source: Source, metadata: str = "keep"
) -> Iterator[str]:
    """Writes each effect into its file, with several a sheet of them, and yields what is to be said. `metadata`: see
    `choose_metadata`.

    Raises UnusablePicture where it can't be read or has not the size of a mask, ValueError where nothing can be written.
    """
    picture = read_image(path, grey_range=source.grey_range)
    mask, said = source.attend(picture)
    yield f"{path}: " + "; ".join([f"{picture.rgb.shape[2]} x {picture.rgb.shape[1]}", *said, *picture.notes])
    several = len(wanted) > 1
    seen = picture.on_white
    tiles = [_make_tile("picture", seen), _make_tile("attention", heatmap(seen, mask))] if several else []
    for effect, (function, file) in wanted.items():
        pixels = apply_effect(function, picture.rgb, mask, picture.alpha)
        _write(file, pixels, choose_metadata(picture, function, metadata))
        yield f"  {file}"
        if several:
            tiles.append(_make_tile(effect, pixels))
    if several:
        _write(sheet_file, _make_sheet(tiles))
        yield f"  {sheet_file}"


def choose_metadata(picture: Picture, effect: Effect, metadata: str) -> Picture:
    """The picture with that of its EXIF data which goes into the result. "keep": all but orientation and small picture, and
    without the place for an effect that hides somebody. "drop": nothing."""
    if metadata == "drop":
        return picture._replace(exif=None)
    return picture._replace(exif=leave_out_place(picture.exif)) if hides(effect) else picture


def _write(file: Path, pixels: Tensor, like: Picture | None = None) -> None:
    try:
        write_image(file, pixels, like)
    except OSError as error:
        raise ValueError(f"{file} can't be written: {error.strerror or error}") from error


def _make_tile(name: str, pixels: UInt8[Tensor, "channels height width"]) -> Tile:
    """Small, and on white what is transparent."""
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return Tile(np.array(picture), name)


def _make_sheet(tiles: Sequence[Tile]) -> UInt8[Tensor, "3 height width"]:
    """A crop has another size than the others: each stands in the middle of a tile as large as the first."""
    height, width = tiles[0].image.shape[:2]
    alike = [
        tile._replace(image=np.array(ImageOps.pad(Image.fromarray(tile.image), (width, height), color="white")))
        for tile in tiles
    ]
    blank = Tile(np.full_like(tiles[0].image, 255))
    alike += [blank] * (-len(alike) % COLUMNS)
    rows = [alike[start : start + COLUMNS] for start in range(0, len(alike), COLUMNS)]
    return torch.from_numpy(np.array(sheet(rows, [""] * COLUMNS, tile=TILE))).permute(2, 0, 1)
