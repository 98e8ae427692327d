"""composites: the object of one picture, and a distractor, pasted on a stretch of background of another picture.

Made from a folder of pictures with masks (see `mask_folder`): the role of every pixel is known, and surroundings say
nothing of the object. The background is a square without any object, cut out of another picture; no hole is filled, so
that there is no ghost of the object that was there, and pictures that have no such square give none. The main object is
whole, its longer side half to three quarters of the frame; its class is the label. It lies anywhere within the frame,
hence more often about the middle: a centre prior must stand beside any figure. The distractor is a half or a quarter of a
third picture's object, enlarged in the same way ("piece"), or a whole object of another class ("object"); it lies below
the main object, which hides half of it at most, where that can be. Both are pasted in one way, with soft edges: what
pasting leaves behind does not tell them apart. Light and colour are not matched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lta import checks
from lta.data.batches import Split
from lta.data.decoding import open_rgb
from lta.data.errors import DataError
from lta.data.evaluation_data import FolderToLookAt
from lta.data.fingerprint import make_content_ids
from lta.data.image_folder import parse_image_size
from lta.data.masked_pictures import Listing, list_masked_images, open_fitting_mask

DETAIL = 8
"""Pictures are held at up to this many times the frame's longer side: 200 kB each for frames of 32 pixels."""
SCALE = (0.5, 0.75)
"""Longer side of an object, of which a piece is cut, relative to the frame's shorter side."""
EMPTY = (0.125, 0.75)
"""Side of a background square relative to its picture's shorter side."""
PLACES = 20
"""Tries to place a distractor so that half of it is seen."""
SIDE, MAIN = 1, 2


class Composites(FolderToLookAt):
    """`test_size` composites, decided by `composites_seed`; `distractor`: "piece", "object" or "none". `root`, the columns,
    `class_name` and `threshold` are those of `MaskFolder`. Every picture's object is the main one equally often, up to one;
    `sources` is its picture's number. About 2 ms a composite once the pictures are read.
    """

    name = "composites"

    def __init__(
        self,
        root: str | None = None,
        image_size: int | Sequence[int] | None = None,
        test_size: int = 1000,
        composites_seed: int = 0,
        distractor: str = "piece",
        mask_column: str = "mask",
        class_column: str | None = "class",
        class_name: str = "object",
        threshold: float | None = None,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(root, eval_batch_size, seed)
        self.size = parse_image_size(image_size)
        checks.require_whole_number("data.test_size", test_size, least=1)
        checks.require_whole_number("data.composites_seed", composites_seed)
        checks.require_choice("data.distractor", distractor, ("piece", "object", "none"))
        if threshold is not None:
            checks.require_number("data.threshold", threshold, 0, 65535)
        self.test_size, self.composites_seed, self.distractor = test_size, composites_seed, distractor
        self.mask_column, self.class_column, self.class_name = mask_column, class_column, str(class_name)
        self.threshold = threshold

    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        """Makes the composites from the pictures and masks below `root`."""
        listing = list_masked_images(root, self.mask_column, self.class_column, self.class_name)
        if self.distractor == "object" and len(set(listing.classes)) < 2:
            raise DataError(f"data.distractor=object needs objects of two classes; {root} has only {listing.classes[0]}")
        shown = [
            _read_masked_image(root, listing, number, self.size, self.threshold) for number in range(len(listing.images))
        ]
        class_names, labels = np.unique(listing.classes, return_inverse=True)
        test = make_composites(
            shown,
            labels.astype(np.int64),
            listing.sources,
            self.size,
            self.test_size,
            self.composites_seed,
            self.distractor,
            where=str(root),
        )
        return tuple(class_names.tolist()), test


class Shown(NamedTuple):
    """A picture, uint8 (height, width, 3), and its object, bool (height, width)."""

    image: np.ndarray
    mask: np.ndarray


def make_composites(
    pictures: Sequence[Shown],
    labels: np.ndarray,
    sources: np.ndarray,
    size: tuple[int, int],
    count: int,
    seed: int = 0,
    distractor: str = "piece",
    where: str = "the folder",
) -> Split:
    """`count` composites of `size` (height, width): the same arguments give the same ones."""
    rng = np.random.default_rng(seed)
    squares = [find_empty_squares(picture.mask, min(size)) for picture in pictures]
    backgrounds = np.array([number for number, found in enumerate(squares) if found], int)
    if len(np.unique(sources[backgrounds])) < 2:
        raise DataError(
            f"{where}: composites need at least two pictures with an empty square next to the object, at least {min(size)} "
            f"pixels and an eighth of the picture wide; {len(np.unique(sources[backgrounds]))} has one"
        )
    objects = [_cut_object(picture) for picture in pictures]
    order = np.concatenate([rng.permutation(len(pictures)) for _ in range(-(-count // len(pictures)))])[:count]
    images, roles = np.empty((count, *size, 3), np.uint8), np.zeros((count, *size), np.uint8)
    for number, main in enumerate(order.tolist()):
        behind = int(rng.choice(backgrounds[sources[backgrounds] != sources[main]]))
        scene = _cut_background(rng, pictures[behind].image, squares[behind], size)
        whole = _scale_object(objects[main], rng.uniform(*SCALE) * min(size))
        place = rng.integers(0, np.array(size) - whole.shape[:2] + 1)
        if distractor != "none":
            other = _choose_distractor(rng, labels, sources, main, behind, distractor)
            aside = _scale_object(objects[other], rng.uniform(*SCALE) * min(size))
            if distractor == "piece":
                aside = _cut_piece(rng, aside)
            _paste(scene, roles[number], aside, _choose_place(rng, aside, whole, place, size), SIDE)
        _paste(scene, roles[number], whole, place, MAIN)
        images[number] = np.clip(np.rint(scene), 0, 255)
    return Split(images, labels[order], roles, sources[order], ids=make_content_ids(images))


def find_empty_squares(mask: np.ndarray, least: int) -> list[tuple[int, np.ndarray]]:
    """By side, in pixels, the upper left corners (places, 2) of all squares without object; none smaller than `least`.

    Eight sides, spaced evenly between the bounds in EMPTY. Squares keep 2 % of the picture's shorter side away from the
    object, whose mask may be tight.
    """
    shorter = min(mask.shape)
    margin = max(1, round(0.02 * shorter))
    sums = np.pad(np.cumsum(np.cumsum(np.pad(mask, margin), 0), 1), ((1, 0), (1, 0)))
    found = []
    for side in np.unique(np.linspace(EMPTY[0] * shorter, EMPTY[1] * shorter, 8).astype(int)):
        span = side + 2 * margin
        inside = sums[span:, span:] - sums[:-span, span:] - sums[span:, :-span] + sums[:-span, :-span]
        if side >= least and len(places := np.argwhere(inside == 0)):
            found.append((int(side), places))
    return found


def _read_masked_image(root: Path, listing: Listing, number: int, size: tuple[int, int], threshold: float | None) -> Shown:
    opened = open_fitting_mask(root, listing.images[number], listing.masks[number], threshold)
    picture = open_rgb(root / listing.images[number])
    factor = max(max(picture.size) / (DETAIL * max(size)), 1.0)
    width, height = (max(1, round(side / factor)) for side in picture.size)
    smaller = (width, height)
    return Shown(
        np.asarray(picture.resize(smaller, Image.Resampling.BICUBIC)),
        np.asarray(opened.resize(smaller, Image.Resampling.BOX)) >= 128,
    )


def _cut_background(
    rng: np.random.Generator, picture: np.ndarray, squares: list[tuple[int, np.ndarray]], size: tuple[int, int]
) -> np.ndarray:
    """float64 (height, width, 3), mirrored at random."""
    side, places = squares[rng.integers(len(squares))]
    top, left = places[rng.integers(len(places))]
    square = Image.fromarray(picture[top : top + side, left : left + side])
    scene = np.asarray(square.resize((max(size), max(size)), Image.Resampling.BICUBIC), np.float64)[: size[0], : size[1]]
    return scene[:, ::-1].copy() if rng.random() < 0.5 else scene.copy()


def _cut_object(picture: Shown) -> Image.Image:
    """The box of the object, transparent beside it; colours are already multiplied by opacity (RGBa)."""
    rows, columns = np.flatnonzero(picture.mask.any(1)), np.flatnonzero(picture.mask.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mask = picture.mask[box].astype(np.uint8)[..., None]
    planes = np.concatenate([picture.image[box] * mask, 255 * mask], 2)
    return Image.frombytes("RGBa", (planes.shape[1], planes.shape[0]), planes.tobytes())


def _scale_object(whole: Image.Image, longer: float) -> np.ndarray:
    """float32 (rows, columns, 4), the longer side `longer` pixels: colour times opacity, 0 to 255, and opacity, 0 to 1."""
    factor = longer / max(whole.size)
    width, height = (max(1, round(side * factor)) for side in whole.size)
    scaled = whole.resize((width, height), Image.Resampling.BILINEAR)
    planes = np.frombuffer(scaled.tobytes(), np.uint8).reshape(scaled.height, scaled.width, 4)
    return planes * np.array([1, 1, 1, 1 / 255], np.float32)


def _cut_piece(rng: np.random.Generator, whole: np.ndarray) -> np.ndarray:
    """A random half or quarter that holds at least an eighth of the object; one of two halves always does."""
    rows, columns = (max(1, side // 2) for side in whole.shape[:2])
    corners = [(down, right) for down in (0, whole.shape[0] - rows) for right in (0, whole.shape[1] - columns)]
    pieces = [whole[:rows], whole[-rows:], whole[:, :columns], whole[:, -columns:]]
    pieces += [whole[top : top + rows, left : left + columns] for top, left in corners]
    fitting = [piece for piece in pieces if piece[..., 3].sum() >= whole[..., 3].sum() / 8]
    return fitting[rng.integers(len(fitting))]


def _choose_distractor(
    rng: np.random.Generator, labels: np.ndarray, sources: np.ndarray, main: int, behind: int, distractor: str
) -> int:
    """The picture that the distractor comes from: not the main object's, nor the background's where there are others."""
    allowed = sources != sources[main]
    if distractor == "object":
        allowed &= labels != labels[main]
    third = allowed & (sources != sources[behind])
    return int(rng.choice(np.flatnonzero(third if third.any() else allowed)))


def _choose_place(
    rng: np.random.Generator, aside: np.ndarray, whole: np.ndarray, place: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Where half of `aside` is seen, or else where most of it is, of PLACES random places."""
    main = np.zeros(size, np.float32)
    main[place[0] : place[0] + whole.shape[0], place[1] : place[1] + whole.shape[1]] = whole[..., 3]
    best, hidden = None, np.inf
    for _ in range(PLACES):
        top, left = tried = rng.integers(0, np.array(size) - aside.shape[:2] + 1)
        covered = main[top : top + aside.shape[0], left : left + aside.shape[1]]
        share = float((aside[..., 3] * covered).sum() / aside[..., 3].sum())
        if share < hidden:
            best, hidden = tried, share
        if share <= 0.5:
            break
    assert best is not None
    return best


def _paste(scene: np.ndarray, roles: np.ndarray, cut_out: np.ndarray, place: np.ndarray, role: int) -> None:
    """In place; a pixel has the role where at least half of it is covered."""
    box = np.s_[place[0] : place[0] + cut_out.shape[0], place[1] : place[1] + cut_out.shape[1]]
    opacity = cut_out[..., 3:]
    scene[box] = (1 - opacity) * scene[box] + cut_out[..., :3]
    roles[box][opacity[..., 0] >= 0.5] = role
