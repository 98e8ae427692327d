"""Maps of many images against the objects' masks or boxes: every score of each map, and of its controls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lta.measures.boxes import BOX_THRESHOLDS, draw_boxes, fill_boxes, fit_boxes
from lta.measures.intervals import difference, mean
from lta.measures.localisation import THRESHOLDS, chance_iou, cross_fit_thresholds, energy, pointing, score
from lta.measures.pixel_maps import COMBINATIONS, combine, density
from lta.measures.placement import Placement
from lta.measures.roles import centre_prior, derangement

OVERLAPS = {"box_50": 0.5, "box_30": 0.3, "box_70": 0.7}
"""How well a map's box must fit one of the picture's to count, by measure."""

MEASURES = {"masks": ("iou", "iou_mean", "pointing", "energy", "auc"), "boxes": (*OVERLAPS, "pointing", "energy")}
"""By what objects are known by; the first is the one that maps are judged by."""

CONTROLS = {
    "masks": ("uniform", "centre_prior", "shuffled", "chance"),
    "boxes": ("uniform", "centre_prior", "shuffled"),
}
GRIDS = {"masks": THRESHOLDS, "boxes": BOX_THRESHOLDS}
COMPARED = ("explanation", "untrained")
"""Kinds of maps that learned ones are compared with, picture by picture."""

CHUNK = 2**20
"""Pixels that are scored at a time."""

Maps = Mapping[str, Tensor]
"""(images, rows, columns) by name, each at its own resolution."""


class Scores(NamedTuple):
    """Of each image: by measure one value; by measure a column for each threshold; of masks the share of the pixels that is
    taken at each."""

    plain: dict[str, np.ndarray]
    by_threshold: dict[str, np.ndarray]
    taken: np.ndarray | None = None


class Values(NamedTuple):
    """By measure one value an image; by measure that has thresholds the column of each image's; the mean of the main measure
    at every threshold."""

    of: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]
    curve: np.ndarray


class MapScores(NamedTuple):
    """A map's values on `images` (positions in the split), and its controls' values there, by measure; `thresholds` of the
    two halves by measure."""

    kind: str
    size: list[int]
    images: np.ndarray
    own: Values
    shuffled: Values
    controls: dict[str, dict[str, np.ndarray]]
    thresholds: dict[str, list[float]]


class Objects(NamedTuple):
    """Where the object of each image is (with `boxes`: in which pixels they are), which half an image belongs to, which
    images are not independent, and what maps score that know nothing of the picture: "uniform" and "centre_prior".
    """

    masks: Bool[Tensor, "images height width"]
    boxes: Float[np.ndarray, "images most 4"] | None
    half: Bool[np.ndarray, " images"]
    sources: Int[np.ndarray, " images"] | None
    fixed: dict[str, Values]

    @classmethod
    def from_masks(cls, masks: Tensor, half: np.ndarray, sources: np.ndarray | None) -> "Objects":
        """From bool masks (images, height, width)."""
        return cls(masks, None, half, sources, {})._score_fixed()

    @classmethod
    def from_boxes(cls, boxes: np.ndarray, size: tuple[int, int], half: np.ndarray, sources: np.ndarray | None) -> "Objects":
        """`boxes` in pictures of `size` (height, width), as `Split` has them."""
        return cls(torch.from_numpy(fill_boxes(boxes, size)), boxes, half, sources, {})._score_fixed()

    def _score_fixed(self) -> "Objects":
        height, width = self.masks.shape[1:]
        size, half = (height, width), self.half
        prior = [density(centre_prior(self.masks[half != side].sum(0, keepdim=True).float())[None], size) for side in (0, 1)]
        scores = _score(
            lambda part: {
                "uniform": torch.ones(len(part), *size),
                "centre_prior": torch.cat([prior[int(side)] for side in half[part]]),
            },
            self.masks,
            self.boxes,
        )
        return self._replace(fixed={name: _fit_thresholds(one, half) for name, one in scores.items()})

    @property
    def known_by(self) -> str:
        """`masks` or `boxes`: which measures there are."""
        return "masks" if self.boxes is None else "boxes"

    def groups(self, images: np.ndarray) -> np.ndarray | None:
        """Which images belong together, so that intervals are over groups; None where each stands for itself."""
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
    boxes, grid = None if objects.boxes is None else objects.boxes[images], GRIDS[objects.known_by]
    area = masks.flatten(1).double().mean(1).numpy()
    height, width = masks.shape[1:]
    size = (height, width)
    straight, shuffled = (
        _score(lambda part, order=order: pixel_maps(native, order[part], size, combined, placements), masks, boxes)
        for order in (np.arange(len(images)), derangement(len(images), seed).numpy())
    )
    found = {}
    for name, scores in straight.items():
        own, other = _fit_thresholds(scores, half), _fit_thresholds(shuffled[name], half)
        controls = {
            control: {key: value[images] for key, value in values.of.items()} for control, values in objects.fixed.items()
        }
        controls["shuffled"] = other.of
        if scores.taken is not None:
            controls["chance"] = _compute_chance(scores, scores.taken, own.columns["iou"], area)
        thresholds = {
            key: [float(grid[columns[half == side][0]]) for side in (False, True)] for key, columns in own.columns.items()
        }
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
    measures, controls = MEASURES[objects.known_by], CONTROLS[objects.known_by]
    maps: dict[str, Any] = {}
    for name, one in found.items():
        maps[name] = {"kind": one.kind, "map": one.size, "thresholds": one.thresholds[measures[0]]}
        for key in measures:
            own, groups = one.own.of[key], objects.groups(one.images)
            maps[name][key] = mean(own, groups)
            if key in OVERLAPS:
                maps[name][key]["thresholds"] = one.thresholds[key]
            maps[name][key]["controls"] = {
                control: mean(one.controls[control][key], groups)
                | {"difference": difference(own, one.controls[control][key], groups)}
                for control in controls
            }
            if one.kind not in COMPARED:
                maps[name][key]["over_explanations"] = {
                    other: difference(own[theirs.images], theirs.own.of[key], objects.groups(theirs.images))
                    for other, theirs in explanations.items()
                }
    area = objects.masks.flatten(1).double().mean(1).numpy()
    curves = {"threshold": GRIDS[objects.known_by].tolist()} | {
        name: one.curve.tolist() for name, one in objects.fixed.items()
    }
    curves |= {"maps": {name: one.own.curve.tolist() for name, one in found.items()}}
    curves |= {"shuffled": {name: one.shuffled.curve.tolist() for name, one in found.items()}}
    known = {"images": len(area), "known_by": objects.known_by, "area": mean(area, objects.sources)}
    return known | {"maps": maps, "curves": curves}


def _score(maps_of: Callable[[np.ndarray], dict[str, Tensor]], masks: Tensor, boxes: np.ndarray | None) -> dict[str, Scores]:
    step = max(1, CHUNK // masks[0].numel())
    parts: dict[str, list[Scores]] = {}
    for start in range(0, len(masks), step):
        part = np.arange(start, min(start + step, len(masks)))
        for name, pixels in maps_of(part).items():
            judged = (
                _judge_by_masks(pixels, masks[part]) if boxes is None else _judge_by_boxes(pixels, masks[part], boxes[part])
            )
            parts.setdefault(name, []).append(judged)
    return {name: _join(scores) for name, scores in parts.items()}


def _judge_by_masks(pixels: Tensor, masks: Tensor) -> Scores:
    found = score(pixels, masks)
    plain = {name: getattr(found, name).astype(np.float64) for name in ("pointing", "energy", "auc")}
    return Scores(plain | {"iou_mean": found.iou.mean(1)}, {"iou": found.iou}, found.taken)


def _judge_by_boxes(pixels: Tensor, masks: Tensor, boxes: np.ndarray) -> Scores:
    fits = fit_boxes(draw_boxes(pixels), boxes)
    plain = {"pointing": pointing(pixels, masks), "energy": energy(pixels, masks)}
    return Scores(
        {name: values.double().numpy() for name, values in plain.items()},
        {name: (fits >= least).astype(np.float64) for name, least in OVERLAPS.items()},
    )


def _join(parts: Sequence[Scores]) -> Scores:
    plain, by_threshold = (
        {name: np.concatenate([getattr(part, field)[name] for part in parts]) for name in getattr(parts[0], field)}
        for field in ("plain", "by_threshold")
    )
    taken = [part.taken for part in parts if part.taken is not None]
    return Scores(plain, by_threshold, np.concatenate(taken) if taken else None)


def _fit_thresholds(scores: Scores, half: np.ndarray) -> Values:
    columns = {name: cross_fit_thresholds(values, half) for name, values in scores.by_threshold.items()}
    rows = np.arange(len(half))
    of = scores.plain | {name: values[rows, columns[name]] for name, values in scores.by_threshold.items()}
    return Values(of, columns, next(iter(scores.by_threshold.values())).mean(0))


def _compute_chance(scores: Scores, taken: np.ndarray, columns: np.ndarray, area: np.ndarray) -> dict[str, np.ndarray]:
    """What the map's own values would score at random pixels: as many are taken, at the map's own threshold."""
    iou = chance_iou(taken, area)
    auc = np.where(np.isnan(scores.plain["auc"]), np.nan, 0.5)
    of = {"iou": iou[np.arange(len(area)), columns], "iou_mean": iou.mean(1)}
    return of | {"pointing": area, "energy": area, "auc": auc}
