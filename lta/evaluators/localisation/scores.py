"""Maps of many images against the objects' masks: every score of each map, and of its controls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lta.measures.intervals import difference, mean
from lta.measures.localisation import THRESHOLDS, Scores, chance_iou, cross_fit_thresholds, score
from lta.measures.pixel_maps import COMBINATIONS, combine, density
from lta.measures.placement import Placement
from lta.measures.roles import centre_prior, derangement

MEASURES = ("iou", "iou_mean", "pointing", "energy", "auc")
CONTROLS = ("uniform", "centre_prior", "shuffled", "chance")
COMPARED = ("explanation", "untrained")
"""Kinds of maps that learned ones are compared with, picture by picture."""

CHUNK = 2**20
"""Pixels that are scored at a time."""

Maps = Mapping[str, Tensor]
"""(images, rows, columns) by name, each at its own resolution."""


class Values(NamedTuple):
    """By measure one value an image; the column of each image's threshold; mean IoU at every threshold."""

    of: dict[str, np.ndarray]
    columns: np.ndarray
    curve: np.ndarray


class MapScores(NamedTuple):
    """A map's values on `images` (positions in the split), and its controls' values there, by measure."""

    kind: str
    size: list[int]
    images: np.ndarray
    own: Values
    shuffled: Values
    controls: dict[str, dict[str, np.ndarray]]
    thresholds: list[float]


class Objects(NamedTuple):
    """Where the object of each image is, which half an image belongs to, which images are not independent, and what
    maps score that know nothing of the picture: "uniform" and "centre_prior"."""

    masks: Bool[Tensor, "images height width"]
    half: Bool[np.ndarray, " images"]
    sources: Int[np.ndarray, " images"] | None
    fixed: dict[str, Values]

    @classmethod
    def from_masks(cls, masks: Tensor, half: np.ndarray, sources: np.ndarray | None) -> "Objects":
        height, width = masks.shape[1:]
        size = (height, width)
        prior = [density(centre_prior(masks[half != side].sum(0, keepdim=True).float())[None], size) for side in (0, 1)]
        scores = _score(
            lambda part: {
                "uniform": torch.ones(len(part), *size),
                "centre_prior": torch.cat([prior[int(side)] for side in half[part]]),
            },
            masks,
        )
        return cls(masks, half, sources, {name: _fit_thresholds(one, half) for name, one in scores.items()})

    def groups(self, images: np.ndarray) -> np.ndarray | None:
        return None if self.sources is None else self.sources[images]


def score_maps(
    native: Maps,
    objects: Objects,
    images: np.ndarray,
    kind: str,
    combined: bool,
    seed: int,
    placements: Mapping[str, Placement] = {},
) -> dict[str, MapScores]:
    """Scores of maps of the images at positions `images`, with `combined` also of their combinations. `placements` says by
    name where a map's cells lie; those of the others part the picture evenly."""
    if not native:
        return {}
    masks, half = objects.masks[images], objects.half[images]
    area = masks.flatten(1).double().mean(1).numpy()
    height, width = masks.shape[1:]
    size = (height, width)
    straight, shuffled = (
        _score(lambda part, order=order: pixel_maps(native, order[part], size, combined, placements), masks)
        for order in (np.arange(len(images)), derangement(len(images), seed).numpy())
    )
    found = {}
    for name, scores in straight.items():
        own, other = _fit_thresholds(scores, half), _fit_thresholds(shuffled[name], half)
        controls = {control: {key: values.of[key][images] for key in MEASURES} for control, values in objects.fixed.items()}
        controls |= {"shuffled": other.of, "chance": _compute_chance(scores, own.columns, area)}
        thresholds = [float(THRESHOLDS[own.columns[half == side][0]]) for side in (False, True)]
        map_size = list(native[name].shape[1:]) if name in native else list(size)
        found[name] = MapScores(
            kind if name in native else "combination", map_size, images, own, other, controls, thresholds
        )
    return found


def pixel_maps(
    native: Maps,
    index: np.ndarray,
    size: Sequence[int],
    combined: bool,
    placements: Mapping[str, Placement] = {},
) -> dict[str, Tensor]:
    """Of the maps at `index`, with mean 1; with `combined` followed by the combinations, where there are several."""
    maps = {name: density(values[index], (size[0], size[1]), placements.get(name)) for name, values in native.items()}
    return maps | ({how: combine(list(maps.values()), how) for how in COMBINATIONS} if combined and len(maps) > 1 else {})


def summarise_scores(found: Mapping[str, MapScores], objects: Objects) -> dict[str, Any]:
    """`maps`: by map and measure the mean over images, each control's, and the paired difference to each; of attention
    also the difference to each explanation and untrained map, on the images that have one. `curves`: IoU by threshold."""
    explanations = {name: one for name, one in found.items() if one.kind in COMPARED}
    maps: dict[str, Any] = {}
    for name, one in found.items():
        maps[name] = {"kind": one.kind, "map": one.size, "thresholds": one.thresholds}
        for key in MEASURES:
            own, groups = one.own.of[key], objects.groups(one.images)
            maps[name][key] = mean(own, groups)
            maps[name][key]["controls"] = {
                control: mean(one.controls[control][key], groups)
                | {"difference": difference(own, one.controls[control][key], groups)}
                for control in CONTROLS
            }
            if one.kind not in COMPARED:
                maps[name][key]["over_explanations"] = {
                    other: difference(own[theirs.images], theirs.own.of[key], objects.groups(theirs.images))
                    for other, theirs in explanations.items()
                }
    area = objects.masks.flatten(1).double().mean(1).numpy()
    curves = {"threshold": THRESHOLDS.tolist()} | {name: one.curve.tolist() for name, one in objects.fixed.items()}
    curves |= {"maps": {name: one.own.curve.tolist() for name, one in found.items()}}
    curves |= {"shuffled": {name: one.shuffled.curve.tolist() for name, one in found.items()}}
    return {"images": len(area), "area": mean(area, objects.sources), "maps": maps, "curves": curves}


def _score(maps_of: Callable[[np.ndarray], dict[str, Tensor]], masks: Tensor) -> dict[str, Scores]:
    step = max(1, CHUNK // masks[0].numel())
    parts: dict[str, list[Scores]] = {}
    for start in range(0, len(masks), step):
        part = np.arange(start, min(start + step, len(masks)))
        for name, pixels in maps_of(part).items():
            parts.setdefault(name, []).append(score(pixels, masks[part]))
    return {name: Scores(*map(np.concatenate, zip(*scores, strict=True))) for name, scores in parts.items()}


def _fit_thresholds(scores: Scores, half: np.ndarray) -> Values:
    columns = cross_fit_thresholds(scores.iou, half)
    of = {"iou": scores.iou[np.arange(len(half)), columns], "iou_mean": scores.iou.mean(1)}
    of |= {name: getattr(scores, name).astype(np.float64) for name in ("pointing", "energy", "auc")}
    return Values(of, columns, scores.iou.mean(0))


def _compute_chance(scores: Scores, columns: np.ndarray, area: np.ndarray) -> dict[str, np.ndarray]:
    """What the map's own values would score at random pixels: as many are taken, at the map's own threshold."""
    iou = chance_iou(scores.taken, area)
    auc = np.where(np.isnan(scores.auc), np.nan, 0.5)
    of = {"iou": iou[np.arange(len(area)), columns], "iou_mean": iou.mean(1)}
    return of | {"pointing": area, "energy": area, "auc": auc}
