"""What a pretrained network shows of a picture untrained, as maps: where objects are, whatever their kind.

A map taught by a few masks reads these beside the features, and so carries over to kinds of things that no mask showed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta.layers.interpolation import interpolation_weights
from lta.protocols import Cells

BASE, DEEP, LAST = "B", "C", "D"
"""The level whose cells cues have, and those that they are also made of."""

LENGTH = "length"
CUES = (LENGTH, "border_distance", "border_angle_deep", "border_angle", "border_neighbours", "own_classes")

CLASSES = 5
"""Of the network's own classes, the likeliest, whose activation maps are averaged."""

NEIGHBOURS = 4
"""Cells on the border that are most like a cell."""


def compute_cues(
    names: Sequence[str],
    raw: Mapping[str, Tensor],
    standard: Mapping[str, Tensor],
    cells: Mapping[str, Cells],
    classes: nn.Linear | None,
) -> Float[Tensor, "batch cues rows columns"]:
    """Maps of level B's cells, each of mean 0 and spread 1 over its picture, one a name of CUES.

    `raw`, `standard`: features by level, (batch, channels, rows, columns), as the network has them and standardised.
    Objects differ from the picture's border (Wei et al. 2012, "Geodesic saliency using background priors"):

    - "length" of the feature vector, level C;
    - "border_distance", "border_angle_deep": Euclidean distance and 1 - cosine to the mean of the border's cells, level C;
    - "border_angle": the same 1 - cosine at level B; "border_neighbours": 1 - the mean cosine to the 4 border cells that
      are most like the cell, level B;
    - "own_classes": the positive part of the class activation map (Zhou et al. 2016) of the network's 5 likeliest classes,
      weighted by their probabilities, level D. `classes` is the layer behind the average of D.
    """
    deep, base = standard[DEEP], standard[BASE]
    size = (base.shape[2], base.shape[3])

    def compute_cue(name: str) -> Tensor:
        if name == LENGTH:
            return move_to_cells(raw[DEEP].norm(dim=1), cells[DEEP], cells[BASE], size)
        if name == "border_distance":
            distance = (deep - _mean_border(deep)[:, :, None, None]).norm(dim=1)
            return move_to_cells(distance, cells[DEEP], cells[BASE], size)
        if name == "border_angle_deep":
            return move_to_cells(_measure_angle(deep), cells[DEEP], cells[BASE], size)
        if name == "border_angle":
            return _measure_angle(base)
        if name == "border_neighbours":
            return _compare_with_border(base)
        assert name == "own_classes"
        assert classes is not None, "this backbone has no such layer"
        return move_to_cells(_map_own_classes(raw[LAST], classes), cells[LAST], cells[BASE], size)

    return _standardise_in_picture(torch.stack([compute_cue(name) for name in names], 1))


def list_cues(classes: nn.Linear | None) -> tuple[str, ...]:
    """Those that a network with this class layer has."""
    return CUES if classes is not None else CUES[:-1]


def move_to_cells(maps: Tensor, source: Cells, target: Cells, size: tuple[int, int]) -> Float[Tensor, "batch rows columns"]:
    """`maps` (batch, rows, columns) of `source` cells at the centres of a `size` (rows, columns) grid of `target` cells."""
    if source == target and tuple(maps.shape[1:]) == size:
        return maps

    def weigh_cells(count: int, wanted: int) -> Tensor:
        places = (target.offset + target.stride * np.arange(wanted) - source.offset) / source.stride
        return torch.as_tensor(interpolation_weights(places, count), dtype=maps.dtype, device=maps.device)

    down, across = (weigh_cells(*side) for side in zip(maps.shape[1:], size, strict=True))
    return down @ maps @ across.T


def _mark_border(x: Tensor) -> Tensor:
    """(rows, columns), True on the outermost cells."""
    border = torch.ones(x.shape[2:], dtype=torch.bool, device=x.device)
    border[1:-1, 1:-1] = False
    return border


def _mean_border(x: Tensor) -> Float[Tensor, "batch channels"]:
    border = _mark_border(x).to(x.dtype)
    return (x * border).sum((2, 3)) / border.sum()


def _measure_angle(x: Tensor) -> Float[Tensor, "batch rows columns"]:
    mean = _mean_border(x)
    return 1 - nn.functional.cosine_similarity(x, mean[:, :, None, None], dim=1)


def _compare_with_border(x: Tensor) -> Float[Tensor, "batch rows columns"]:
    unit = nn.functional.normalize(x, dim=1).flatten(2)
    border = unit[:, :, _mark_border(x).flatten()]
    likeness = torch.bmm(unit.transpose(1, 2), border)
    nearest = likeness.topk(min(NEIGHBOURS, likeness.shape[2]), 2).values.mean(2)
    return 1 - nearest.unflatten(1, x.shape[2:])


def _map_own_classes(last: Tensor, classes: nn.Linear) -> Float[Tensor, "batch rows columns"]:
    shares, indices = classes(last.mean((2, 3))).softmax(1).topk(min(CLASSES, classes.out_features), 1)
    direction = torch.einsum("bk,bkc->bc", shares / shares.sum(1, keepdim=True), classes.weight[indices])
    return torch.einsum("bchw,bc->bhw", last, direction).clamp(min=0)


def _standardise_in_picture(maps: Tensor) -> Tensor:
    """A map that is alike everywhere is 0."""
    centred = maps - maps.mean((2, 3), keepdim=True)
    return centred / centred.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-6)
