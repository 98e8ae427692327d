"""How well a map finds an object whose pixels are known: scores of each image, and what chance alone would reach.

Maps are looked at pixel by pixel, at the picture's own resolution (`density`). Ties are never broken by order: a map
that is the same everywhere points at the object as often as the object's share of the picture, holds that share of its
mass there, has an AUC of 0.5, and at any threshold takes everything, so that its IoU is that share too.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata
from torch import Tensor

from lta.measures.map_statistics import CONSTANT
from lta.measures.roles import draw_halves

THRESHOLDS = (np.arange(1, 101) / 100) ** 4
"""Of a map's range, each map moved and scaled to 0 to 1 as is usual for class activation maps: at any of them the object's
own mask scores 1, and a flat map is used as well as a steep one. Fourth powers, from 1e-8 to 1 with small steps near 1:
softmax maps and their products are so peaked that an object's pixels may have a millionth of the maximum."""


class Scores(NamedTuple):
    """Of each image. `iou` and `taken` (the share of the pixels that is taken) have a column for each threshold.
    `auc` is NaN where the object covers the whole picture."""

    pointing: Float[np.ndarray, " images"]
    energy: Float[np.ndarray, " images"]
    auc: Float[np.ndarray, " images"]
    iou: Float[np.ndarray, "images thresholds"]
    taken: Float[np.ndarray, "images thresholds"]


def score(pixels: Float[Tensor, "batch height width"], mask: Bool[Tensor, "batch height width"]) -> Scores:
    """`pixels` as from `density`; every mask has a pixel."""
    iou, taken = iou_by_threshold(pixels, mask)
    return Scores(pointing(pixels, mask).numpy(), energy(pixels, mask).numpy(), pixel_auc(pixels, mask), iou, taken)


def pointing(
    pixels: Float[Tensor, "batch height width"], mask: Bool[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    """1 where the map's highest pixel lies in the mask, else 0; of several highest pixels the share that does."""
    highest = pixels >= pixels.amax((1, 2), keepdim=True) * (1 - CONSTANT)
    return (highest & mask).sum((1, 2)) / highest.sum((1, 2))


def energy(pixels: Float[Tensor, "batch height width"], mask: Bool[Tensor, "batch height width"]) -> Float[Tensor, " batch"]:
    """The share of the map's mass that lies in the mask, 0 to 1."""
    return (pixels * mask).sum((1, 2)) / pixels.sum((1, 2))


def pixel_auc(
    pixels: Float[Tensor, "batch height width"], mask: Bool[Tensor, "batch height width"]
) -> Float[np.ndarray, " batch"]:
    """How often a pixel of the object is higher than one beside it, ties counting half: the area under the ROC curve."""
    inside = mask.flatten(1).numpy()
    ranks = rankdata(pixels.flatten(1).numpy(), axis=1)
    count = inside.sum(1).astype(np.float64)
    pairs = count * (inside.shape[1] - count)
    above = np.where(inside, ranks, 0).sum(1) - count * (count + 1) / 2
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def iou_by_threshold(
    pixels: Float[Tensor, "batch height width"], mask: Bool[Tensor, "batch height width"]
) -> tuple[Float[np.ndarray, "batch thresholds"], Float[np.ndarray, "batch thresholds"]]:
    """Intersection over union of the mask and the pixels at or above each of THRESHOLDS; and the share of pixels taken."""
    inside = mask.flatten(1)
    flat, reached = pixels.flatten(1), count_reached(pixels, THRESHOLDS)
    count = len(THRESHOLDS) + 1
    place = (reached + count * torch.arange(len(flat)).unsqueeze(1)).flatten()
    taken, hits = (
        torch.bincount(place, weights, count * len(flat)).view(-1, count).flip(1).cumsum(1).flip(1)[:, 1:].double().numpy()
        for weights in (None, inside.flatten().double())
    )
    return hits / (inside.sum(1, keepdim=True).numpy() + taken - hits), taken / flat.shape[1]


def count_reached(
    pixels: Float[Tensor, "batch height width"], thresholds: Float[np.ndarray, " thresholds"]
) -> Int[Tensor, "batch pixels"]:
    """How many of the `thresholds`, shares of a map's range, each pixel is at or above."""
    flat = pixels.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    relative = torch.where(high > low, (flat - low) / torch.where(high > low, high - low, 1), 1)
    return torch.bucketize(relative, torch.from_numpy(thresholds).to(relative), right=True)


def halves(size: int, groups: Int[np.ndarray, " images"] | None, seed: int) -> Bool[np.ndarray, " images"]:
    """Two random halves, images of one group in the same; raises ValueError where there are no two."""
    of = np.arange(size) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = of.max(initial=-1) + 1
    if count < 2:
        what = "images" if groups is None else "sources (what main objects are made from)"
        raise ValueError(
            f"thresholds are chosen on one half of the images and used on the other: {count} {what} are too few"
        )
    return draw_halves(of, seed)


def cross_fit_thresholds(
    iou: Float[np.ndarray, "images thresholds"], half: Bool[np.ndarray, " images"]
) -> Int[np.ndarray, " images"]:
    """For each image the column that has the best mean over the other half: no image has a say in its own threshold."""
    best = {side: int(iou[half != side].mean(0).argmax()) for side in (False, True)}
    return np.where(half, best[True], best[False])


def chance_iou(
    taken: Float[np.ndarray, "images thresholds"], area: Float[np.ndarray, " images"]
) -> Float[np.ndarray, "images thresholds"]:
    """What as many pixels, drawn at random, would score: expected intersection over the union that goes with it. (The
    exact mean over draws is larger by less than a hundredth of it, except in pictures of a few pixels.)"""
    hits = taken * area[:, None]
    return hits / (taken + area[:, None] - hits)
