"""What a network makes of a picture of any size: seen whole, and in windows at several scales."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lta.data.decoding import choose_size, fit_to_size
from lta.measures.label_sets import compute_probabilities, gives_several_labels
from lta.measures.pixel_maps import density
from lta.measures.placement import find_placements
from lta.protocols import TrainedClassifier, takes_queries

if TYPE_CHECKING:
    from lta.protocols import NetworkOutput

SIDE = 256
"""Cells along the longer side of the maps: levels and windows of different resolution are put together on them."""

FINEST = 8
"""Of scales: 15 x 15 windows."""

BATCH = 64


class Seen(NamedTuple):
    """`maps` by level, shallow to deep, scaled to mean 1, in the picture's own proportions; `queries` (the global vectors g,
    by the level that each is made from) are those of the whole picture; `probabilities` are what `predict` says of it. All
    on the CPU. `ends`: of a map taught by masks, where the object begins and where it is whole, as shares of a map's range.
    """

    maps: dict[str, Float[Tensor, "rows columns"]]
    probabilities: Float[Tensor, " classes"]
    queries: dict[str, Float[Tensor, "1 _"]]
    ends: tuple[float, float] | None = None


def run_at_scales(
    classifier: TrainedClassifier,
    picture: UInt8[Tensor, "3 height width"],
    scales: Sequence[int] | None = (1,),
    queries: Mapping[str, Float[Tensor, "1 _"]] | None = None,
) -> Seen:
    """The network's maps of `picture`. A backbone that takes pictures of any proportions sees it in its own, the shorter
    side as long as in training; for others it is squeezed to the size that they were trained on. Only for the classes it
    sees what it was trained on and `predict` shows it: the middle, with its proportions kept.

    `scales` None: 1 for such a backbone, whose maps are fine, 1 and 2 for others.

    At scale 1 it sees the whole; at scale n windows of an nth of the width and of the height, 2n-1 in a row, each half over
    the next. Where windows overlap their maps are mixed, each with most weight in its middle; of several scales the mean is
    taken. `queries` stand in for its own, in every window. Raises ValueError where `scales` are not whole numbers from 1 to
    8, each once.
    """
    if scales is None:
        scales = (1, 2) if _find_step(classifier) is None else (1,)
    check_scales("scales", scales)
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    found = {scale: _run_at_scale(classifier, image, scale, queries or {}) for scale in {1, *scales}}
    whole = found[1]
    return whole._replace(
        probabilities=_classify(classifier, image, queries or {}),
        maps={level: torch.stack([found[scale].maps[level] for scale in scales]).mean(0) for level in whole.maps},
    )


def check_scales(key: str, scales: Any) -> None:
    """Raises ValueError where they are not as `run_at_scales` takes them."""
    listed = isinstance(scales, Sequence) and not isinstance(scales, str)
    fit = listed and all(type(scale) is int and 1 <= scale <= FINEST for scale in scales)
    if not fit or not scales or len(set(scales)) < len(scales):
        raise ValueError(f"{key}={scales} must be whole numbers from 1 to {FINEST}, each once, for example [1,2]")


@torch.inference_mode()
def _run_at_scale(classifier: TrainedClassifier, image: Image.Image, scale: int, queries: Mapping[str, Tensor]) -> Seen:
    """What it makes of the windows; queries (and probabilities, which are replaced) are the first one's."""
    shrink = SIDE / max(image.size)
    cells = (max(1, round(image.height * shrink)), max(1, round(image.width * shrink)))
    windows, size = _place_windows(scale, cells)
    rows, columns = image.height / cells[0], image.width / cells[1]  # pixels in a cell
    height, width = _choose_seen_size(classifier, image)
    seen = [
        image.resize(
            (width, height),
            Image.Resampling.BICUBIC,
            box=(left * columns, top * rows, (left + size[1]) * columns, (top + size[0]) * rows),
        )
        for top, left in windows
    ]
    outputs = [_run(classifier, seen[start : start + BATCH], queries) for start in range(0, len(seen), BATCH)]
    placements = find_placements(classifier.network, (height, width))
    maps = {}
    for level in outputs[0].attn:
        attn = torch.cat([output.attn[level].cpu() for output in outputs])
        maps[level] = _mix_maps(density(attn, size, placements.get(level)), windows, cells)
    of_first = {source: g[:1].cpu() for source, g in outputs[0].global_feats.items()}
    return Seen(
        maps,
        compute_probabilities(outputs[0].logits[0], gives_several_labels(classifier)).cpu(),
        of_first,
        _find_ends(classifier),
    )


def _find_ends(classifier: TrainedClassifier) -> tuple[float, float] | None:
    """None where no mask has taught any."""
    ends = getattr(classifier.network, "ends", None)
    low, high = (0.0, 1.0) if ends is None else (float(ends[0]), float(ends[1]))
    return None if (low, high) == (0, 1) else (low, high)


def _find_step(classifier: TrainedClassifier) -> int | None:
    """What the sides of its pictures are multiples of; None where they have one size."""
    return getattr(getattr(classifier.network, "trunk", None), "size_step", None)


def _choose_seen_size(classifier: TrainedClassifier, image: Image.Image) -> tuple[int, int]:
    """(height, width) at which it sees `image`, or a window of it."""
    size, step = classifier.hparams["image_size"], _find_step(classifier)
    return (size[0], size[1]) if step is None else choose_size((image.height, image.width), min(size), step)


@torch.inference_mode()
def _classify(classifier: TrainedClassifier, image: Image.Image, queries: Mapping[str, Tensor]) -> Float[Tensor, " classes"]:
    height, width = classifier.hparams["image_size"]
    logits = _run(classifier, [fit_to_size(image, (height, width))], queries).logits[0]
    return compute_probabilities(logits, gives_several_labels(classifier)).cpu()


def _run(classifier: TrainedClassifier, images: Sequence[Image.Image], queries: Mapping[str, Tensor]) -> "NetworkOutput":
    """Of one batch of pictures, all of the network's own size."""
    device = next(classifier.parameters()).device
    batch = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
    pictures, network = classifier.preprocess(batch.to(device)), classifier.network
    if not queries:
        return network(pictures)
    assert takes_queries(network)
    return network(pictures, {source: g.to(device).expand(len(images), -1) for source, g in queries.items()})


def _place_windows(scale: int, cells: tuple[int, int]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The upper and left edge of each, and the size of all, in cells."""
    size = (max(1, round(cells[0] / scale)), max(1, round(cells[1] / scale)))
    down, across = (
        torch.linspace(0, whole - part, 2 * scale - 1).round().int().tolist()
        for whole, part in zip(cells, size, strict=True)
    )
    return [(top, left) for top in down for left in across], size


def _mix_maps(
    maps: Float[Tensor, "windows _ _"], windows: Sequence[tuple[int, int]], cells: tuple[int, int]
) -> Float[Tensor, "rows columns"]:
    if len(windows) == 1:
        return maps[0]
    height, width = maps.shape[1:]
    weight = _make_hill(height)[:, None] * _make_hill(width)
    total, weights = torch.zeros(cells), torch.zeros(cells)
    for (top, left), values in zip(windows, maps, strict=True):
        total[top : top + height, left : left + width] += weight * values
        weights[top : top + height, left : left + width] += weight
    mixed = total / weights
    return mixed / mixed.mean()


def _make_hill(length: int) -> Float[Tensor, " length"]:
    """Rises in a straight line to the middle: such windows, each half over the next, have the same weight everywhere."""
    return 1 - (2 * (torch.arange(length) + 0.5) / length - 1).abs()
