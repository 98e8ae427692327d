"""Where a picture's attention comes from, and what is made with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lta import checks
from lta.checkpoint import load
from lta.effects.attention_mask import on_picture, stretched
from lta.effects.heatmap import heatmap
from lta.measures.pixel_maps import COMBINATIONS, combine, density
from lta.pictures.read import Picture, UnusablePicture, read
from lta.pictures.write import TRANSPARENT, write
from lta.viz.sheet import Tile, sheet

MAP_SIDE = 256
"""Cells along the longer side, on which levels of different resolution are put together."""

EDGES = 0.05
"""Of a network's maps, whose cells are that large and larger."""

TILE = 360
"""Pixels along the longer side of a picture on a sheet."""


class Attended(NamedTuple):
    """How much each pixel is attended, 0 to 1, and what is to be said of it."""

    mask: Float[Tensor, "height width"]
    said: tuple[str, ...]


Source = Callable[[Picture], Attended]
Effect = Callable[..., UInt8[Tensor, "channels rows columns"]]


def from_network(checkpoint: str, which: str, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """The maps of a trained network, which sees the whole picture at the size that it was trained on.

    Raises ValueError where it makes no maps, or none of the levels asked for.
    """
    checks.choice("attention.combine", attention["combine"], COMBINATIONS)
    checks.flag("attention.invert", attention["invert"])
    classifier = load(checkpoint, which).to(device)
    height, width = classifier.hparams["image_size"]

    def attended(picture: Picture) -> Attended:
        whole = Image.fromarray(picture.rgb.permute(1, 2, 0).numpy()).resize((width, height), Image.Resampling.BICUBIC)
        seen = torch.frombuffer(bytearray(whole.tobytes()), dtype=torch.uint8).view(1, height, width, 3).permute(0, 3, 1, 2)
        with torch.inference_mode():
            output = classifier(seen.to(device))
        levels = _levels(attention["levels"], tuple(output.attn), checkpoint)
        rows, columns = picture.rgb.shape[1:]
        scale = MAP_SIDE / max(rows, columns)
        size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
        maps = [density(output.attn[level].cpu(), size) for level in levels]
        together = maps[0] if len(maps) == 1 else combine(maps, attention["combine"])
        mask, prefers = stretched(together[0], attention["low"], attention["high"])
        share, index = output.logits.float().softmax(1)[0].max(0)
        said = [f"{classifier.class_names[index]} ({100 * share:.0f} %)", f"levels {', '.join(levels)}"]
        if not prefers:
            said.append("the map prefers nothing: all of the picture counts as attended")
        return Attended(_finished(mask, picture, attention, EDGES), tuple(said))

    return attended


def from_mask(path: str, attention: Mapping[str, Any]) -> Source:
    """The light of a picture. Raises ValueError where it can't be read, or where a picture has another size."""
    checks.flag("attention.invert", attention["invert"])
    if attention["levels"] is not None:
        raise ValueError(f"attention.levels={attention['levels']} is of a network; mask={path} has none")
    read_mask = read(path)
    mask = read_mask.rgb.float().mean(0) / 255

    def attended(picture: Picture) -> Attended:
        if picture.rgb.shape[1:] != mask.shape:
            wide, theirs = (f"{shape[-1]} x {shape[-2]}" for shape in (mask.shape, picture.rgb.shape))
            raise UnusablePicture(f"{picture.path} has {theirs} pixels, mask={path} {wide}")
        return Attended(_finished(mask, picture, attention, 0), ())

    return attended


def apply(path: Path, wanted: Mapping[str, tuple[Effect, Path]], sheet_file: Path, source: Source) -> Iterator[str]:
    """Writes each effect into its file, with several a sheet of them, and yields what is to be said.

    What is transparent becomes a PNG where the file's own format keeps no transparency. Raises UnusablePicture.
    """
    picture = read(path)
    mask, said = source(picture)
    yield f"{path}: " + "; ".join([f"{picture.rgb.shape[2]} x {picture.rgb.shape[1]}", *said, *picture.notes])
    shown: list[tuple[str, Tensor]] = [("picture", picture.rgb), ("attention", heatmap(picture.rgb, mask))]
    for effect, (function, file) in wanted.items():
        pixels = function(picture.rgb, mask, picture.alpha)
        if pixels.shape[0] == 3 and picture.alpha is not None:
            pixels = torch.cat([pixels, picture.alpha[None]])
        if pixels.shape[0] == 4 and file.suffix.lower() not in TRANSPARENT:
            file = file.with_suffix(".png")
        _write(file, pixels, picture)
        yield f"  {file}"
        shown.append((effect, pixels))
    if len(wanted) > 1:
        _write(sheet_file, _sheet(shown))
        yield f"  {sheet_file}"


def _write(file: Path, pixels: Tensor, like: Picture | None = None) -> None:
    try:
        write(file, pixels, like)
    except OSError as error:
        raise ValueError(f"{file} can't be written: {error.strerror or error}") from error


def _levels(asked: Any, there: Sequence[str], checkpoint: str) -> list[str]:
    if not there:
        raise ValueError(f"checkpoint={checkpoint} is of a network without attention maps")
    levels = list(there) if asked is None else [asked] if isinstance(asked, str) else list(asked)
    for level in levels:
        checks.choice("attention.levels", level, there)
    if not levels:
        raise ValueError(f"attention.levels=[] names none; choose of {', '.join(there)}")
    return levels


def _finished(mask: Tensor, picture: Picture, attention: Mapping[str, Any], edges: float) -> Tensor:
    asked = attention["edges"]
    mask = on_picture(mask, picture.rgb, edges if asked is None else asked, attention["feather"])
    return 1 - mask if attention["invert"] else mask


def _sheet(shown: Sequence[tuple[str, Tensor]]) -> UInt8[Tensor, "3 height width"]:
    """Pictures of any size, each on a tile of the first one's; what is transparent is white."""
    height, width = shown[0][1].shape[1:]
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    tiles = []
    for _, pixels in shown:
        tile = Image.new("RGB", size, "white")
        small = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
        small.thumbnail(size, Image.Resampling.LANCZOS)
        small = small.resize(size) if pixels.shape[1:] == shown[0][1].shape[1:] else small
        left, top = ((whole - part) // 2 for whole, part in zip(size, small.size, strict=True))
        tile.paste(small, (left, top), small if small.mode == "RGBA" else None)
        tiles.append(torch.from_numpy(np.array(tile)))
    named = [Tile(tile.numpy(), name) for tile, (name, _) in zip(tiles, shown, strict=True)]
    columns = min(3, len(named))
    blank = Tile(named[0].image * 0 + 255)
    named += [blank] * (-len(named) % columns)
    rows = [named[start : start + columns] for start in range(0, len(named), columns)]
    page = sheet(rows, [""] * columns)
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)
