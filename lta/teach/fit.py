"""The scorer of a map, fitted to masks: logistic regression whose weights are held back, by how much the masks decide."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta.measures.localisation import THRESHOLDS, iou_by_threshold
from lta.measures.pixel_maps import enlarge_map
from lta.measures.placement import Placement
from lta.teach.lessons import Lesson

FOLDS = 10
"""Into how many parts the masks fall of which each is left out once."""

WORSE = 0.5
"""Standard errors by which a ridge may be worse than the best one."""

STEPS = 200
"""Of L-BFGS, at most."""


class Described(NamedTuple):
    """Of one picture: the lesson, what the network says of each cell, the share of the cell that is the object, and where
    the cells lie. `of` numbers the mask that it comes from: a mirror image is of the same."""

    lesson: Lesson
    features: Float[Tensor, "channels rows columns"]
    shares: Float[Tensor, "rows columns"]
    placement: Placement
    of: int


class Scorer(NamedTuple):
    """`weight` of each channel of the features, and `bias`: their sum is the log-odds that a cell is the object."""

    weight: Float[Tensor, " channels"]
    bias: float

    def score(self, features: Float[Tensor, "channels rows columns"]) -> Float[Tensor, "rows columns"]:
        """The log-odds of each cell."""
        return torch.einsum("chw,c->hw", features, self.weight) + self.bias


class Fit(NamedTuple):
    """`iou`: of each mask when it was left out, at the threshold that is best for the others (NaN for a single mask, which
    can't be left out); `length_iou`: that of the features' length, chosen likewise. `threshold`: a share of a map's range.
    """

    scorer: Scorer
    ridge: float
    threshold: float
    iou: Float[np.ndarray, " masks"]
    length_iou: Float[np.ndarray, " masks"]


def fit_to_masks(given: Sequence[Described], ridges: Sequence[float], seed: int = 0) -> Fit:
    """Of `ridges` the largest is taken whose maps of left out masks are not clearly worse than those of the best one: by
    less than half a standard error of the mean IoU, at one common threshold each. So few masks hold the scorer back more. Of
    a single mask it is the largest but one, as nothing tells them apart."""
    masks = sorted({one.of for one in given})
    upright = {one.of: one for one in reversed(given)}  # a mirror image comes after its picture
    length = np.stack([_find_ious(upright[of].features[0], upright[of]) for of in masks])
    if len(masks) == 1:
        ridge = sorted(ridges)[max(0, len(ridges) - 2)]
        scorer = fit_scorer(given, ridge)
        threshold = float(THRESHOLDS[_find_ious(scorer.score(given[0].features).sigmoid(), given[0]).argmax()])
        return Fit(scorer, ridge, threshold, np.array([np.nan]), np.array([np.nan]))
    folds = _choose_folds(masks, seed)
    found = {}
    for ridge in ridges:
        ious = {}
        for fold in folds:
            scorer = fit_scorer([one for one in given if one.of not in fold], ridge)
            ious |= {of: _find_ious(scorer.score(upright[of].features).sigmoid(), upright[of]) for of in fold}
        found[ridge] = np.stack([ious[of] for of in masks])
    best = _choose_ridge(found)
    threshold = float(THRESHOLDS[found[best].mean(0).argmax()])
    return Fit(fit_scorer(given, best), best, threshold, _leave_out(found[best]), _leave_out(length))


def _choose_ridge(found: Mapping[float, Float[np.ndarray, "masks thresholds"]]) -> float:
    at_best = {ridge: iou[:, iou.mean(0).argmax()] for ridge, iou in found.items()}
    best = max(at_best, key=lambda ridge: at_best[ridge].mean())
    for ridge in sorted(at_best, reverse=True):
        lost = at_best[best] - at_best[ridge]
        if lost.mean() <= WORSE * lost.std(ddof=1) / np.sqrt(len(lost)):
            return ridge
    return best


def fit_scorer(given: Sequence[Described], ridge: float) -> Scorer:
    """The least mean binary cross-entropy of scores and shares, each mask with the same weight, plus ridge / 2 times the
    squared length of the weights (the bias is free). Convex: one answer, which L-BFGS finds in double precision."""
    counts = {of: sum(one.of == of for one in given) for of in {one.of for one in given}}
    x = torch.cat([one.features.flatten(1).T for one in given]).double()
    y = torch.cat([one.shares.flatten() for one in given]).double()
    share = [1 / (len(counts) * counts[one.of] * one.shares.numel()) for one in given]
    of_cell = torch.cat([torch.full((one.shares.numel(),), value) for one, value in zip(given, share, strict=True)]).double()
    weight = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-7, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def compute_loss() -> Tensor:
        optimizer.zero_grad()
        losses = nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none")
        loss = (losses * of_cell).sum() + ridge / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(compute_loss)  # pyright: ignore[reportArgumentType] it returns a tensor, as L-BFGS wants it
    return Scorer(weight.detach().float(), bias.item())


def _find_ious(values: Float[Tensor, "rows columns"], of: Described) -> Float[np.ndarray, " thresholds"]:
    pixels = enlarge_map(values[None], (of.lesson.mask.shape[0], of.lesson.mask.shape[1]), of.placement)
    return iou_by_threshold(pixels, of.lesson.mask[None])[0][0]


def _leave_out(iou: Float[np.ndarray, "masks thresholds"]) -> Float[np.ndarray, " masks"]:
    """Of each mask at the threshold that is best for the mean of the others."""
    others = iou.sum(0, keepdims=True) - iou
    return iou[np.arange(len(iou)), others.argmax(1)]


def _choose_folds(masks: Sequence[int], seed: int) -> list[set[int]]:
    shuffled = np.random.default_rng(seed).permutation(np.array(masks))
    return [set(part.tolist()) for part in np.array_split(shuffled, min(FOLDS, len(masks)))]
