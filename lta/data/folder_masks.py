"""Masks of some pictures of an image folder: a folder `masks/` beside the classes, or any other."""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lta.data.annotations import Drawing, read_annotations
from lta.data.contents import make_digest, to_token
from lta.data.errors import DataError
from lta.data.known_masks import KnownMasks
from lta.data.listing import list_endings
from lta.data.masked_pictures import compute_crop_boxes, join_names, open_fitting_mask, read_upright_size, reduce_mask
from lta.pictures.find import is_hidden

log = logging.getLogger(__name__)

FOLDER = "masks"
SUFFIX = re.compile(r"[._-][A-Za-z]+$")
WAY_OUT = "take it out, or give data.masks=null"

Mask = Path | Drawing
"""A picture file, or what draws the mask."""


def find_mask_folder(root: Path, masks: str | None, folders: Sequence[str]) -> Path | None:
    """`masks`: a folder (below `root`, or anywhere), "auto" for ROOT/masks where it is there, None for none.

    `folders` are those below `root`. Beside images/ a folder masks/ belongs to data=mask_folder. Raises DataError where the
    folder that is given is not there.
    """
    if masks is None:
        return None
    if masks == "auto":
        return root / FOLDER if FOLDER in folders and "images" not in folders else None
    folder = root / Path(masks).expanduser()
    if not folder.is_dir():
        raise DataError(f"data.masks={masks}: {folder} is not a folder")
    return folder


def match_masks(root: Path, folder: Path, names: Sequence[str], way_out: str = WAY_OUT) -> dict[str, Mask]:
    """By the picture's name (below `root`) its mask in `folder`.

    A mask has the path of its picture below the root, or the end of it down to the bare name, and another ending; all may
    have one suffix in addition, as _mask. JSON files are of LabelMe, one a picture, or of COCO, whose names count as paths.
    Raises DataError for a mask without a picture or with several, and for a picture with several masks.
    """
    found, spare = find_matches(root, folder, names, way_out)
    if spare:
        raise DataError(f"{spare[0]} belongs to no picture below {root}: {way_out}")
    return found


def find_matches(
    root: Path, folder: Path, names: Sequence[str], way_out: str = WAY_OUT
) -> tuple[dict[str, Mask], list[str]]:
    """The same where masks may have no picture: what these are is returned too."""
    pictures = _index_pictures(names)
    drawn: list[tuple[str, str, Mask]] = []  # what it is, the path of its picture without its ending, the mask
    files: list[tuple[str, Path]] = []
    for path in _walk(folder):
        if path.suffix.lower() == ".json":
            place = path.relative_to(folder).parent
            for name, drawing in read_annotations(path).items():
                where = (place / name).as_posix() if name == path.name else name  # LabelMe's lie as their pictures do
                drawn.append((str(path) if name == path.name else f"{name} in {path}", _cut_ending(where), drawing))
        else:
            files.append((path.relative_to(folder).as_posix(), path))
    stems = [_cut_ending(name) for name, _ in files]
    suffixes = {end[0] if (end := SUFFIX.search(stem)) else "" for stem in stems}
    shared = suffixes.pop() if len(suffixes) == 1 else ""
    if shared and not all(stem in pictures for stem in stems):
        stems = [stem.removesuffix(shared) for stem in stems]
    drawn += [(str(path), stem, path) for stem, (_, path) in zip(stems, files, strict=True)]
    found: dict[str, Mask] = {}
    spare: list[str] = []
    for what, stem, mask in drawn:
        of = pictures.get(stem, [])
        if not of:
            spare.append(what)
            continue
        if len(of) > 1:
            raise DataError(f"{what} may be the mask of {join_names(of)}: put it into the same folders as its picture")
        if of[0] in found:
            raise DataError(f"{what} is a second mask of {of[0]}: {way_out}")
        found[of[0]] = mask
    return found, spare


def read_known_masks(
    root: Path, names: Sequence[str], masks: Mapping[str, Mask], size: tuple[int, int]
) -> KnownMasks | None:
    """Those of the pictures `names`, cut and reduced to `size` (height, width) as these are; None where there is none.

    Raises DataError for one that is empty, of another size than its picture, or can't be read. One whose object is cut off
    counts as none, which is said in a line.
    """
    there = [number for number, name in enumerate(names) if name in masks]
    if not there:
        return None
    boxes = compute_crop_boxes(root, [names[number] for number in there], size, "crop")
    pixels, tokens, rows, lost = [], [], np.full(len(names), -1), []
    for number, box in zip(there, boxes.tolist(), strict=True):
        name = names[number]
        drawn = _open_binary(root, name, masks[name])
        pixel_mask = np.asarray(reduce_mask(drawn, size, box)) >= 128
        if pixel_mask.any():
            rows[number] = len(pixels)
            pixels.append(pixel_mask)
            tokens.append(to_token(make_digest(repr(drawn.size).encode() + drawn.tobytes())))
        else:
            lost.append(name)
    if lost:
        seen = f"{size[1]}x{size[0]}"
        log.warning("%s: at %s nothing is left of the object, so the masks of %s are not used", root, seen, join_names(lost))
    return KnownMasks(np.stack(pixels), rows, np.array(tokens, np.int64)) if pixels else None


def open_known_mask(
    root: Path, name: str, mask: Mask, threshold: float | None = None, key: str = "data.threshold", way_out: str = WAY_OUT
) -> Image.Image:
    """That of the picture `name` below `root`, of its own size, 0 or 255; `threshold` as in `open_mask`, given by `key`."""
    if isinstance(mask, Path):
        return open_fitting_mask(root, name, str(mask.absolute()), threshold, key)
    drawn = mask(read_upright_size(root / name))
    if not drawn.getbbox():
        raise DataError(f"the mask of {root / name} is empty: {way_out}")
    return drawn


def _open_binary(root: Path, name: str, mask: Mask) -> Image.Image:
    """The same for data that have no setting for a threshold."""
    try:
        return open_known_mask(root, name, mask)
    except DataError as error:
        said = str(error).partition("; give data.threshold")[0]
        raise DataError(said if said == str(error) else f"{said}; save it with only two values, 0 and one other") from error


def _index_pictures(names: Sequence[str]) -> dict[str, list[str]]:
    """By the path without its ending, and by each end of that path down to the bare name."""
    index: dict[str, list[str]] = {}
    for name in names:
        parts = _cut_ending(name.replace(os.sep, "/")).split("/")
        for first in range(len(parts)):
            index.setdefault("/".join(parts[first:]), []).append(name)
    return index


def _cut_ending(name: str) -> str:
    return os.path.splitext(name)[0]


def _walk(folder: Path) -> Iterator[Path]:
    """Pictures and JSON files in `folder` and below, in order, or the file itself; links to folders are not followed."""
    if folder.is_file():
        yield folder
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            if not is_hidden(name) and os.path.splitext(name)[1].lower() in {*list_endings(), ".json"}:
                yield Path(place, name)
