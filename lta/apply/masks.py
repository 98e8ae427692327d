"""Masks of one's own as the source of attention: one for all pictures, or one for each, found by its name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lta.apply.sources import Attended, Source, finish_mask, refuse_network_settings
from lta.data.errors import DataError
from lta.data.folder_masks import Mask, find_matches
from lta.data.masked_pictures import join_names
from lta.pictures.read import Picture, UnusablePicture, read_image

EMPTY = "is black or transparent everywhere: nothing counts as attended"


def from_mask(path: str, attention: Mapping[str, Any]) -> Source:
    """The light of one picture, for all pictures of its size; nothing is attended where it is transparent.

    Raises ValueError where it can't be read.
    """
    refuse_network_settings(attention, f"mask={path}")
    file = Path(str(path)).expanduser()
    if not os.path.lexists(file):
        raise ValueError(f"mask={path}: there is no such file or folder")
    mask = read_light(file)
    said = () if mask.any() else (f"mask={path} {EMPTY}",)

    def compute_attention(picture: Picture) -> Attended:
        _require_size(mask, picture, f"mask={path}")
        return Attended(finish_mask(mask, picture, attention, 0), said)

    return Source(compute_attention)


def from_mask_folder(folder: Path, pictures: Sequence[Path], attention: Mapping[str, Any]) -> tuple[Source, tuple[str, ...]]:
    """Each picture's own mask, as `lta.data.folder_masks.match_masks` finds it below `folder` (or in it, a JSON file); and
    what is to be said of masks without a picture. Those of files are as in `from_mask`, polygons 1 inside and 0 outside.

    Raises ValueError where no picture has a mask, or one has several; a picture without one is an unusable one.
    """
    refuse_network_settings(attention, f"mask={folder}")
    root = Path(os.path.commonpath([path.absolute().parent for path in pictures]))
    names = {path: path.absolute().relative_to(root).as_posix() for path in pictures}
    masks, spare = find_matches(root, folder, list(names.values()), way_out="take it out of the masks")
    if not masks:
        said = f"no picture has the name of {join_names(spare)}" if spare else "it holds no mask"
        raise ValueError(f"mask={folder} has no mask named like one of the pictures ({said})")
    said = (f"not used, because no picture here has the same name: {join_names(spare)}",) if spare else ()

    def compute_attention(picture: Picture) -> Attended:
        assert picture.path is not None, "it was read from a file"
        mine = masks.get(names[picture.path])
        if mine is None:
            raise UnusablePicture(f"{picture.path} has no mask in {folder}")
        mask = _read_mask(mine, picture)
        whose = f"mask={mine}" if isinstance(mine, Path) else f"its mask in {folder}"
        _require_size(mask, picture, whose)
        of = f"mask {mine.name}" if isinstance(mine, Path) else f"mask drawn by {folder}"
        empty = () if mask.any() else (f"it {EMPTY}",)
        return Attended(finish_mask(mask, picture, attention, 0), (of, *empty))

    return Source(compute_attention), said


def find_folder(mask: str | None) -> Path | None:
    """What holds the masks of several pictures: a folder, or a JSON file of polygons. None for anything else."""
    path = None if mask is None else Path(str(mask)).expanduser()
    return path if path is not None and (path.is_dir() or path.suffix.lower() == ".json") else None


def leave_out_masks(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """The pictures that do not lie in the folder of the masks. Raises ValueError where none does not."""
    kept = [path for path in pictures if not path.absolute().is_relative_to(folder.absolute())]
    if not kept:
        raise ValueError(
            f"mask={folder} and images= are the same folder; move the masks to another, named like the pictures"
        )
    return kept


def read_light(source: str | Path) -> Float[Tensor, "height width"]:
    """`measure_light` of a file. Raises UnusablePicture where it can't be read."""
    return measure_light(read_image(source))


def measure_light(drawn: Picture) -> Float[Tensor, "height width"]:
    """How bright each pixel is, 0 to 1, and 0 where it is transparent."""
    light = drawn.rgb.float().mean(0) / 255
    return light if drawn.alpha is None else light * (drawn.alpha.float() / 255)


def _read_mask(mask: Mask, picture: Picture) -> Float[Tensor, "height width"]:
    if isinstance(mask, Path):
        return read_light(mask)
    height, width = picture.rgb.shape[1:]
    try:
        return torch.from_numpy(np.array(mask((width, height)))).float() / 255
    except DataError as error:  # that of one picture: the others are still worth having
        raise UnusablePicture(f"{picture.path}: {error}") from error


def _require_size(mask: Tensor, picture: Picture, whose: str) -> None:
    if picture.rgb.shape[1:] != mask.shape:
        theirs, ours = (f"{shape[-1]} x {shape[-2]}" for shape in (picture.rgb.shape, mask.shape))
        raise UnusablePicture(f"{picture.path} has {theirs} pixels, but {whose} has {ours}")
