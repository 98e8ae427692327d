"""What autoblur does to the object and to the rest, where masks say what the object is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lta import checks
from lta.effects.attention_mask import fit_mask_to_image, stretch_range, stretch_values
from lta.evaluators.evaluator import Evaluator, NotApplicable, Result, check_masks, find_main_objects
from lta.evaluators.kept_sharp import table
from lta.evaluators.localisation.untrained import UNTRAINED, compute_untrained_maps, place_untrained_maps
from lta.evaluators.passes import run_forward_passes
from lta.measures import intervals
from lta.measures.localisation import halves
from lta.measures.pixel_maps import density
from lta.measures.placement import find_placements
from lta.measures.roles import derangement
from lta.protocols import Split, Splits, TrainedClassifier

SHARP = 0.5
"""Attention from which autoblur's discs are smaller than half of its largest."""

CENTRE, SHUFFLED = "centre", "shuffled"

THRESHOLDS = np.arange(1, 40) / 40
"""Of a map's range, for maps that are judged at a threshold of their own."""


class KeptSharp(Evaluator):
    """Of the object's pixels the share that stays sharp under autoblur, and of all others the share that is blurred, in per
    cent; their mean says how well the effect knows the object. "Sharp" are pixels of an attention of 0.5 or more.

    A map is judged twice: "applied" as lta.apply uses it (a taught map by its own thresholds, others between the quantiles
    0.5 and 0.95), and "tuned" at the share of its range that is best on the other half of the pictures. Beside the levels'
    maps stand what falls off from the centre, another picture's map, and on a pretrained backbone the length of its features
    and the class activation map of its own classes. Differences are paired; intervals resample `sources`.

    `edges`: how far borders may move to those in the picture, a share of the shorter side. `by_class`: whether classes of
    ten pictures and more have figures of their own. Pictures are looked at whole, at the data's own size.
    """

    name = "kept_sharp"
    several_labels = True

    def __init__(self, edges: float = 0.05, by_class: bool = True, seed: int = 0):
        checks.require_number("evaluator.kept_sharp.edges", edges, 0, 1 / 3)
        checks.require_flag("evaluator.kept_sharp.by_class", by_class)
        checks.require_whole_number("evaluator.kept_sharp.seed", seed)
        self.edges, self.by_class, self.seed = edges, by_class, seed

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises NotApplicable for data without masks and networks without maps, ValueError where an object covers nothing
        or all of its picture."""
        check_masks(self.name, data)
        if not classifier.network.levels:
            raise NotApplicable(f"evaluator={self.name} needs attention maps, but this network has none")
        _find_masks(data.test)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        self.check(classifier, data)
        split = data.test
        masks = _find_masks(split)
        maps, kinds = self._compute_maps(classifier, split, data.eval_batch_size)
        ends = getattr(classifier.network, "ends", None)
        own = None if ends is None else (float(ends[0]), float(ends[1]))
        half = halves(len(masks), split.sources, self.seed)
        scores = {
            name: self._judge_map(pixels, split, masks, half, own if kinds[name] == "level" else None)
            for name, pixels in maps.items()
        }
        everywhere = np.ones(len(masks), bool)
        figures: dict[str, Any] = {"pictures": len(masks), "maps": _summarise(scores, kinds, everywhere, split.sources)}
        if self.by_class and len(data.class_names) > 1:
            figures["classes"] = {
                str(data.class_names[int(label)]): _summarise(scores, kinds, split.labels == label, split.sources)
                for label in np.flatnonzero(np.bincount(split.labels, minlength=len(data.class_names)) >= 10)
            }
        return Result(figures, table.rows(figures), table.lines(figures))

    def _compute_maps(
        self, classifier: TrainedClassifier, split: Split, batch_size: int
    ) -> tuple[dict[str, Float[Tensor, "images height width"]], dict[str, str]]:
        """At the pictures' size, scaled to mean 1, and what kind each is."""
        size = (split.images.shape[1], split.images.shape[2])
        found = run_forward_passes(
            classifier, split, lambda images, index: dict(classifier(images).attn), batch_size, self.name
        )
        placements = find_placements(classifier.network, size)
        maps = {name: density(torch.from_numpy(one).float(), size, placements.get(name)) for name, one in found.items()}
        kinds = dict.fromkeys(maps, "level")
        last = classifier.network.levels[-1]
        maps[SHUFFLED] = maps[last][derangement(len(split.labels), self.seed)]
        placed = place_untrained_maps(classifier.network, size)
        for name, one in compute_untrained_maps(classifier, split, batch_size).items():
            maps[UNTRAINED[name]] = density(torch.from_numpy(one).float(), size, placed[name])
        rows, columns = (torch.linspace(-1, 1, side) for side in size)
        maps[CENTRE] = torch.exp(-(rows[:, None] ** 2) - columns**2).expand(len(split.labels), *size)
        return maps, kinds | {name: "control" for name in maps if name not in kinds}

    def _judge_map(
        self,
        pixels: Float[Tensor, "images height width"],
        split: Split,
        masks: Bool[Tensor, "images height width"],
        half: Bool[np.ndarray, " images"],
        ends: tuple[float, float] | None,
    ) -> dict[str, Float[np.ndarray, "images 2"]]:
        """By way, per cent of the object kept sharp and of the rest blurred."""
        applied, by_threshold = [], []
        for number, mask in enumerate(masks):
            picture = torch.from_numpy(np.array(split.images[number])).permute(2, 0, 1)
            attention = stretch_values(pixels[number])[0] if ends is None else stretch_range(pixels[number], ends)[0]
            applied.append(count_shares(fit_mask_to_image(attention, picture, self.edges)[None] >= SHARP, mask)[0])
            whole = fit_mask_to_image(stretch_range(pixels[number], (0.0, 1.0))[0], picture, self.edges)
            by_threshold.append(count_shares(whole >= torch.from_numpy(THRESHOLDS)[:, None, None], mask))
        shares = np.stack(by_threshold)
        best = {side: int(shares[half != side].mean((0, 2)).argmax()) for side in (False, True)}
        chosen = np.where(half, best[True], best[False])
        return {"applied": np.stack(applied), "tuned": shares[np.arange(len(shares)), chosen]}


def count_shares(
    sharp: Bool[Tensor, "ways height width"], mask: Bool[Tensor, "height width"]
) -> Float[np.ndarray, "ways 2"]:
    """Of the mask's pixels those that are sharp, and of the others those that are not, in per cent."""
    kept = sharp[:, mask].float().mean(1)
    blurred = (~sharp)[:, ~mask].float().mean(1)
    return (100 * torch.stack([kept, blurred], 1)).double().numpy()


def _summarise(
    scores: Mapping[str, Mapping[str, np.ndarray]], kinds: Mapping[str, str], among: np.ndarray, sources: np.ndarray | None
) -> dict[str, Any]:
    groups = None if sources is None else sources[among]
    found: dict[str, Any] = {}
    for name, by_way in scores.items():
        found[name] = {"kind": kinds[name]}
        for way, shares in by_way.items():
            kept, blurred = shares[among].T
            found[name][way] = {
                "kept": intervals.mean(kept, groups),
                "blurred": intervals.mean(blurred, groups),
                "mean": intervals.mean((kept + blurred) / 2, groups),
                "over_centre": intervals.difference(shares[among].mean(1), scores[CENTRE][way][among].mean(1), groups),
            }
    return found


def _find_masks(split: Split) -> Bool[Tensor, "images height width"]:
    """Raises ValueError where a mask is empty, whole, or of another size than its picture."""
    masks = find_main_objects(KeptSharp.name, split)
    covered = masks.flatten(1).float().mean(1)
    unfit = ((covered == 0) | (covered == 1)).nonzero().flatten()
    if len(unfit):
        raise ValueError(
            f"evaluator=kept_sharp: in {len(unfit):,} of {len(masks):,} test images the object covers nothing or everything "
            f"(the first is image {int(unfit[0])}, counted from 0): there is nothing to keep sharp, or nothing to blur"
        )
    return masks
