"""digit_scenes: 32x32 RGB scenes with a main object, side objects and a background, and the exact role of every pixel.

Made from what scikit-learn ships, so that "does attention find the object" is a number, offline, within minutes. The
background is a darkened crop of a sample photograph (china.jpg, flower.jpg; 1, 1/2 or 1/3 of full size, mirrored at
random).
The main object is a whole digit of `load_digits`, enlarged to 16 to 20 pixels: its class is the label. Side objects
are fragments (halves and quarters) of other digits at the same scale. Colour and contrast of main and side objects are
drawn from one distribution, so that contrast alone does not tell them apart.

What keeps the splits apart: source digits (main and fragments) and background columns are disjoint between train, val
and test.

Where the main object lies: the box of the enlarged digit is placed uniformly over all offsets at which at most a
sixth of its width and of its height is outside the frame, so that its centre is uniform over a square about the
picture's centre (standard deviation about 5.8 pixels on each axis). A centre prior therefore scores above uniform, and
must stand beside any figure.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from lta import checks
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.splits import stratified_split

SIZE = 32
MAIN_SIZES = (16, 21)  # from, up to but without
DIMMED = (0.15, 0.5)
"""Backgrounds are darkened by a factor in this range, so that light objects stand out from them, main and side alike."""

OPACITY = (0.85, 1.0)
"""How opaque an object is painted, main and side alike."""

BACKGROUND, SIDE, MAIN = 0, 1, 2
COLUMNS = {"train": (0.0, 0.6), "val": (0.6, 0.78), "test": (0.78, 1.0)}
"""The part of each photograph's width that a split's backgrounds are cut from."""


class DigitScenes(ImageData):
    """The data module of the scenes. `train_size`, `val_size`, `test_size`: number of scenes; `scenes_seed` decides
    the scenes themselves, `seed` only the order of training. Generation takes about 0.2 ms a scene.
    """

    def __init__(
        self,
        train_size: int = 9000,
        val_size: int = 1000,
        test_size: int = 2000,
        scenes_seed: int = 0,
        batch_size: int = 32,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        for name, size in self.sizes.items():
            checks.require_whole_number(f"data.{name}_size", size, least=0 if name == "val" else 1)
        checks.require_whole_number("data.scenes_seed", scenes_seed)
        self.scenes_seed = scenes_seed

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Makes the scenes, which depend on `scenes_seed` alone."""
        made = {name: make_scenes(name, size, self.scenes_seed) for name, size in self.sizes.items() if size}
        return tuple(str(digit) for digit in range(10)), made["train"], made.get("val"), made["test"]


def make_scenes(split: str, size: int, seed: int = 0, sources: np.ndarray | None = None) -> Split:
    """`size` scenes of one split ("train", "val", "test"): the same arguments give the same scenes.

    `sources`: of the split's digits those to be used; None for all.
    """
    rng = np.random.default_rng((seed, list(COLUMNS).index(split)))
    digits = load_source_digits()
    sources = digits.members[split] if sources is None else sources
    order = np.concatenate([rng.permutation(sources) for _ in range(-(-size // len(sources)))])[:size]
    images = np.empty((size, SIZE, SIZE, 3), np.uint8)
    roles = np.zeros((size, SIZE, SIZE), np.uint8)
    for number, source in enumerate(order):
        scene = cut_background(rng, split)
        for alpha, offset in _cut_side_objects(rng, sources):
            paste(rng, scene, roles[number], alpha, offset, SIDE)
        scale = int(rng.integers(*MAIN_SIZES))
        slack = scale // 6
        offset = rng.integers(-slack, SIZE - scale + slack + 1, size=2)
        paste(rng, scene, roles[number], enlarge_digits(scale)[source], offset, MAIN)
        images[number] = np.clip(np.rint(scene), 0, 255)
    return Split(images, digits.labels[order].astype(np.int64), roles, order.astype(np.int64))


class Digits(NamedTuple):
    """scikit-learn's digits: strokes and labels, and which of them belong to each split."""

    strokes: np.ndarray  # (1797, 8, 8), 0 to 1
    labels: np.ndarray
    members: dict[str, np.ndarray]


@lru_cache(1)
def load_source_digits() -> Digits:
    """All digits; `members` are the positions of each split's own."""
    from sklearn.datasets import load_digits  # slow to import, needed by this data set alone

    bunch = load_digits()
    assert not isinstance(bunch, tuple)
    rest, test = stratified_split(bunch.target, 400, seed=0)
    train, val = stratified_split(bunch.target[rest], 200, seed=0)
    return Digits(bunch.images / 16, bunch.target, {"train": rest[train], "val": rest[val], "test": test})


@lru_cache(None)
def enlarge_digits(size: int) -> np.ndarray:
    """All digits at `size` x `size` pixels, bilinear; stroke opacity 0 to 1, float32."""
    position = np.clip((np.arange(size) + 0.5) * 8 / size - 0.5, 0, 7)
    low = np.minimum(position.astype(int), 6)
    weights = np.zeros((size, 8), np.float32)
    weights[np.arange(size), low] = 1 - (position - low)
    weights[np.arange(size), low + 1] = position - low
    return np.einsum("ip,jq,npq->nij", weights, weights, load_source_digits().strokes.astype(np.float32), optimize=True)


@lru_cache(1)
def _load_photographs() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_images

    originals = [Image.fromarray(image) for image in load_sample_images().images]
    return [
        np.asarray(image.resize((image.width // factor, image.height // factor), Image.Resampling.BOX))
        for image in originals
        for factor in (1, 2, 3)
    ]


def cut_background(rng: np.random.Generator, split: str) -> np.ndarray:
    """A darkened crop of the split's part of a photograph, float (32, 32, 3), 0 to 255."""
    photographs = _load_photographs()
    photograph = photographs[rng.integers(len(photographs))]
    first, last = (int(share * photograph.shape[1]) for share in COLUMNS[split])
    top = rng.integers(photograph.shape[0] - SIZE + 1)
    left = rng.integers(first, last - SIZE + 1)
    crop = rng.uniform(*DIMMED) * photograph[top : top + SIZE, left : left + SIZE]
    return crop[:, ::-1].copy() if rng.random() < 0.5 else crop


def _cut_side_objects(rng: np.random.Generator, sources: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two or three fragments: (opacity, offset). A fragment is a half or a quarter of an enlarged digit."""
    objects = []
    for source in sources[rng.integers(len(sources), size=rng.integers(2, 4))]:
        scale = int(rng.integers(*MAIN_SIZES))
        half = scale // 2
        rows, columns = [(half, scale), (scale, half), (half, half)][rng.integers(3)]
        top, left = (scale - np.array([rows, columns])) * rng.integers(2, size=2)
        fragment = enlarge_digits(scale)[source, top : top + rows, left : left + columns]
        objects.append((fragment, rng.integers(0, (SIZE - rows + 1, SIZE - columns + 1))))
    return objects


def paste(
    rng: np.random.Generator, scene: np.ndarray, roles: np.ndarray, alpha: np.ndarray, offset: np.ndarray, role: int
) -> None:
    """Paints one object in place: a light colour, each channel 102 to 255."""
    (top, left), (height, width) = offset, alpha.shape
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + height, SIZE), min(left + width, SIZE)
    alpha = alpha[y0 - top : y1 - top, x0 - left : x1 - left, None]
    colour = 255 * (1 - 0.6 * rng.random(3))
    scene[y0:y1, x0:x1] += rng.uniform(*OPACITY) * alpha * (colour - scene[y0:y1, x0:x1])
    roles[y0:y1, x0:x1][alpha[..., 0] > 0.5] = role
