"""Does the class hang on the pixels that the map names? Insertion and deletion, and blurring what it attends to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from PIL import Image
from scipy.integrate import trapezoid
from torch import Tensor

from lta import checks
from lta.effects.blur import LARGEST, apply_gaussian_blur, mix
from lta.evaluators.evaluator import Evaluator, Result, labels_for
from lta.evaluators.faithfulness.table import curve_charts, table, text
from lta.evaluators.passes import generator, run_forward_passes
from lta.evaluators.sample import balanced_sample, describe_sample
from lta.measures.intervals import means, share
from lta.measures.pixel_maps import enlarge_map, product
from lta.measures.pixel_order import centrality, ranks, select_highest, select_lowest, tie_order
from lta.measures.placement import Placement, find_placements
from lta.measures.roles import derangement
from lta.protocols import Split, Splits, TrainedClassifier
from lta.viz.colour import overlay
from lta.viz.sheet import Tile, sheet

RANDOM, CENTRAL, SHUFFLED = "random", "central", "shuffled"
"""Controls: scattered pixels, the middle of the picture, and another image's map, with blobs as large as the map's own."""
PRODUCT = "product"
BATCH = 50
"""Images at once, at most: small enough that several processes have something to share."""
EXAMPLES, SHOWN = 8, 0.25
"""How many pictures the sheet of examples has, and how much of each is blurred there."""
SIDES = {"most": select_highest, "least": select_lowest}


class Faithfulness(Evaluator):
    """Pixels are blurred in the order of each level's map and of the maps' product, and, as controls, by chance, from the
    middle outwards, and in the order that another image's map has: of the product, or of the only level (`joint`). Equal
    pixels follow in an order drawn for each image, the same for all maps: a uniform map is the random control.

    - deletion (Petsiuk et al. 2018, with a blur in the place of grey): area under the probability of the class predicted
      for the sharp picture, over the share of the pixels that is blurred, the most attended first: low for a faithful map.
    - insertion: the same, over the share that is shown sharp in the blurred picture, the most attended first: high.
    - the error after blurring the most and the least attended `areas` of the pixels.

    All also minus that of random pixels; each map's minus that of the middle outwards, which knows only where objects tend
    to be; the joint map's minus that of another image's: scattered pixels hurt a network otherwise than blobs do, whatever
    the map says.

    `images` test images are looked at (None: all). `sigma` is the blur's standard deviation as a share of the picture's
    shorter side.
    """

    name = "faithfulness"

    def __init__(
        self,
        images: int | None = 200,
        areas: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9),
        sigma: float = 0.1,
        seed: int = 0,
    ):
        if images is not None:
            checks.require_whole_number("evaluator.faithfulness.images", images, least=1)
        if isinstance(areas, str) or not isinstance(areas, Sequence) or not areas:
            raise ValueError(f"evaluator.faithfulness.areas={areas} must be a list of shares, for example [0.1,0.25,0.5]")
        for area in areas:
            checks.require_number("evaluator.faithfulness.areas", area, 0, 1, without_low=True)
        checks.require_number("evaluator.faithfulness.sigma", sigma, 0, LARGEST, without_low=True)
        checks.require_whole_number("evaluator.faithfulness.seed", seed)
        self.images, self.areas, self.sigma, self.seed = images, sorted(set(areas)), sigma, seed

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises ValueError where the data's classes are not the network's."""
        labels_for(classifier, data, data.test.labels)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        split = data.test.take(balanced_sample(data.test.labels, self.images, self.seed))
        labels = labels_for(classifier, data, split.labels)

        levels, batch_size = classifier.network.levels, min(BATCH, data.eval_batch_size)
        others = self._compute_shuffled_maps(classifier, split, batch_size)

        def measure_batch(images: Tensor, index: Int[np.ndarray, " batch"]) -> dict[str, Tensor]:
            return self._predict_blurred(classifier, images, index, {level: maps[index] for level, maps in others.items()})

        found = run_forward_passes(classifier, split, measure_batch, batch_size, "faithfulness")
        names = [*levels, *([PRODUCT] if len(levels) > 1 else []), *([SHUFFLED] if others else []), RANDOM, CENTRAL]
        joint = _choose_joint_order(levels) if others else None
        pixels = split.images.shape[1] * split.images.shape[2]
        blurred = [round(area * pixels) for area in self.areas]
        sharp, wholly_blurred = means(np.stack([found["sharp"], found["blurred"]], 1), split.sources)
        figures = {
            "images": len(labels),
            "of": len(data.test.labels),
            "areas": self.areas,
            "pixels_blurred": blurred,
            "sigma_pixels": self.sigma * min(split.images.shape[1:3]),
            "error_sharp": share(found["predicted"] != labels, split.sources),
            "error_wholly_blurred": share(found["predicted_blurred"] != labels, split.sources),
            "probability_sharp": sharp,
            "probability_wholly_blurred": wholly_blurred,
            "joint": joint,
            "orders": _summarise_orders(
                names, joint, [count / pixels for count in blurred], self.areas, found, labels, split.sources
            ),
        }
        lines = text(figures, describe_sample(len(labels), len(data.test.labels), "images"))
        pictures = {"curves": curve_charts(figures), "examples": self._examples(classifier, split, labels)}
        return Result(figures, table(figures), lines, pictures)

    @torch.no_grad()
    def _compute_shuffled_maps(
        self, classifier: TrainedClassifier, split: Split, batch_size: int
    ) -> dict[str, Float[Tensor, "images _ _"]]:
        """By level the map of another image for each; {} where there are no maps, or is no other image."""
        if not classifier.network.levels or len(split.labels) < 2:
            return {}

        def measure_batch(images: Tensor, index: Int[np.ndarray, " batch"]) -> dict[str, Tensor]:
            return dict(classifier(images).attn)

        found = run_forward_passes(classifier, split, measure_batch, batch_size, "maps")
        partner = derangement(len(split.labels), self.seed).numpy()
        return {level: torch.from_numpy(maps[partner]) for level, maps in found.items()}

    @torch.no_grad()
    def _predict_blurred(
        self, classifier: TrainedClassifier, images: Tensor, index: Int[np.ndarray, " batch"], others: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """`probability` (batch, orders, 2, areas) of the class predicted for the sharp picture, and the `classes` predicted;
        2 is for the highest and the lowest pixels of an order blurred."""
        out = classifier(images)
        placements = find_placements(classifier.network, (images.shape[2], images.shape[3]))
        blurred = apply_gaussian_blur(images, self.sigma)
        whole = classifier(blurred).logits.float().softmax(1)
        sharp, predicted = out.logits.float().softmax(1).max(1)
        probability, classes = [], []
        for ranked in self._rank_pixels(out.attn, images, index, others, placements).values():
            for blur_where in SIDES.values():
                for area in self.areas:
                    seen = mix(images, blurred, blur_where(ranked, area).to(images.device))
                    answer = classifier(seen).logits.float().softmax(1)
                    probability.append(answer.gather(1, predicted[:, None])[:, 0])
                    classes.append(answer.argmax(1))
        shape = (len(images), -1, len(SIDES), len(self.areas))
        return {
            "predicted": predicted,
            "sharp": sharp,
            "blurred": whole.gather(1, predicted[:, None])[:, 0],
            "predicted_blurred": whole.argmax(1),
            "probability": torch.stack(probability, 1).view(shape),
            "classes": torch.stack(classes, 1).view(shape),
        }

    def _rank_pixels(
        self,
        attn: Mapping[str, Tensor],
        images: Tensor,
        index: Int[np.ndarray, " batch"],
        others: Mapping[str, Tensor],
        placements: Mapping[str, Placement],
    ) -> dict[str, Int[Tensor, "batch height width"]]:
        """Each order's ranks of the pixels, on the CPU."""
        height, width = images.shape[2:]
        size = (height, width)
        orders = {level: enlarge_map(values.cpu(), size, placements.get(level)) for level, values in attn.items()}
        if len(orders) > 1:
            orders[PRODUCT] = product(list(orders.values()))
        if others:
            theirs = [enlarge_map(values, size, placements.get(level)) for level, values in others.items()]
            orders[SHUFFLED] = product(theirs) if len(theirs) > 1 else theirs[0]
        orders[RANDOM] = torch.zeros(len(images), *size)
        orders[CENTRAL] = centrality(size).expand(len(images), *size)
        ties = tie_order(len(images), size[0] * size[1], generator(index, self.seed))
        return {name: ranks(values, ties) for name, values in orders.items()}

    @torch.no_grad()
    def _examples(self, classifier: TrainedClassifier, split: Split, labels: np.ndarray) -> Image.Image:
        """Pictures with a quarter blurred: what the product of the maps names most, least, and by chance."""
        index = balanced_sample(labels, EXAMPLES, self.seed)
        device = next(classifier.parameters()).device
        images = torch.from_numpy(split.images[index]).permute(0, 3, 1, 2).to(device)
        out = classifier(images)
        placements = find_placements(classifier.network, (images.shape[2], images.shape[3]))
        ranked = self._rank_pixels(out.attn, images, index, {}, placements)
        levels = classifier.network.levels
        chosen = _choose_joint_order(levels) if levels else CENTRAL
        most, least = ("most attended", "least attended") if levels else ("central", "outermost")
        masks = {
            most: select_highest(ranked[chosen], SHOWN),
            least: select_lowest(ranked[chosen], SHOWN),
            "random": select_highest(ranked[RANDOM], SHOWN),
        }
        columns = {"picture": self._tiles(classifier, images, labels[index])}
        if levels:
            size = (images.shape[2], images.shape[3])
            maps = {level: enlarge_map(values.cpu(), size, placements.get(level)) for level, values in out.attn.items()}
            drawn = (product(list(maps.values())) if len(maps) > 1 else maps[chosen]).numpy()
            columns["product of the maps" if len(maps) > 1 else f"map {chosen}"] = [
                Tile(overlay(picture, values), f"true class {classifier.class_names[label]}")
                for picture, values, label in zip(split.images[index], drawn, labels[index], strict=True)
            ]
        blurred = apply_gaussian_blur(images, self.sigma)
        for name, mask in masks.items():
            seen = mix(images, blurred, mask.to(device))
            columns[f"{name} {100 * SHOWN:g} %"] = self._tiles(classifier, seen, labels[index])
        title = f"What is said with {100 * SHOWN:g} % of the pixels blurred"
        parts = ("map", "right", "wrong") if levels else ("right", "wrong")
        return sheet(list(zip(*columns.values(), strict=True)), list(columns), title, parts)

    def _tiles(self, classifier: TrainedClassifier, images: Tensor, labels: np.ndarray) -> list[Tile]:
        confidence, predicted = (part.cpu().numpy() for part in classifier(images).logits.float().softmax(1).max(1))
        pictures = images.permute(0, 2, 3, 1).cpu().numpy()
        return [
            Tile(picture, f"{classifier.class_names[k]}  {100 * sure:.0f} %", bool(k == label))
            for picture, k, sure, label in zip(pictures, predicted, confidence, labels, strict=True)
        ]


def _choose_joint_order(levels: Sequence[str]) -> str:
    """The order that all levels make together."""
    return PRODUCT if len(levels) > 1 else levels[0]


def area_under(
    shares: Sequence[float],
    sharp: Float[np.ndarray, "..."],
    between: Float[np.ndarray, "... areas"],
    blurred: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "..."]:
    """Under the straight lines from the sharp picture over `shares` of it blurred to all of it; the same seen from the
    blurred picture's side, so that it serves insertion too."""
    values = np.concatenate([sharp[..., None], between, blurred[..., None]], -1, dtype=np.float64)
    return trapezoid(values, [0, *shares, 1], axis=-1)


def _summarise_orders(
    names: Sequence[str],
    joint: str | None,
    shares: Sequence[float],
    areas: Sequence[float],
    found: Mapping[str, np.ndarray],
    labels: np.ndarray,
    sources: np.ndarray | None,
) -> dict[str, Any]:
    """By order: `deletion` and `insertion`, the areas under the curves, and `most` and `least`, a list over the areas."""
    probability = found["probability"]
    wrong = found["classes"] != labels[:, None, None, None]
    sharp, blurred = (np.broadcast_to(found[end][:, None, None], probability.shape[:3]) for end in ("sharp", "blurred"))
    # Of each image, order and side: the area under the curve, then at each area the probability, then the error.
    values = np.concatenate([area_under(shares, sharp, probability, blurred)[..., None], probability, 100.0 * wrong], 3)
    controls = [RANDOM, CENTRAL, *([SHUFFLED] if joint else [])]
    columns = np.concatenate([values, *(values - values[:, [names.index(control)]] for control in controls)], 3)
    figures = np.array(means(columns.reshape(len(labels), -1), sources), object).reshape(columns.shape[1:])
    return {
        name: _summarise_order(figures[number], wrong[:, number], sources, areas, _choose_controls(name, joint))
        for number, name in enumerate(names)
    }


def _choose_controls(name: str, joint: str | None) -> tuple[str, ...]:
    """The controls that an order's figures are set beside, in the order of `_summarise_orders`."""
    if name == RANDOM:
        return ()
    if name in (CENTRAL, SHUFFLED):
        return (RANDOM,)
    return (RANDOM, CENTRAL, SHUFFLED) if name == joint else (RANDOM, CENTRAL)


def _summarise_order(
    figures: Shaped[np.ndarray, "sides columns"],
    wrong: Bool[np.ndarray, "images sides areas"],
    sources: np.ndarray | None,
    areas: Sequence[float],
    controls: Sequence[str],
) -> dict[str, Any]:
    count = len(areas)
    wide = 1 + 2 * count

    def build_estimate(side: int, column: int, own: dict[str, Any] | None = None) -> dict[str, Any]:
        estimate: dict[str, Any] = figures[side, column] if own is None else own
        differences = {f"minus_{name}": figures[side, k * wide + column] for k, name in enumerate(controls, start=1)}
        return estimate | differences

    found: dict[str, Any] = {"deletion": build_estimate(0, 0), "insertion": build_estimate(1, 0)}
    for side, kind in enumerate(SIDES):
        found[kind] = [
            {
                "area": area,
                "probability": build_estimate(side, 1 + k),
                "error": build_estimate(side, 1 + count + k, share(wrong[:, side, k], sources)),
            }
            for k, area in enumerate(areas)
        ]
    return found
