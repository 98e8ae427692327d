"""Does attention find the object? Maps against the objects' pixels or boxes, beside what knows nothing of the picture."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lta import checks
from lta.evaluators.evaluator import Evaluator, NotApplicable, Result, find_main_objects
from lta.evaluators.localisation import pictures, table
from lta.evaluators.localisation.explanations import (
    EXPLANATIONS,
    OF_STAGES,
    explain,
    has_explanation_libraries,
    has_stages,
    place_deepest_stage,
)
from lta.evaluators.localisation.scores import Objects, pixel_maps, score_maps, summarise_scores
from lta.evaluators.localisation.untrained import (
    DRAWN,
    UNTRAINED,
    compute_untrained_maps,
    place_untrained_maps,
    say_what_was_trained,
)
from lta.evaluators.passes import run_forward_passes
from lta.measures.label_sets import compute_probabilities, gives_several_labels
from lta.measures.localisation import halves
from lta.measures.placement import find_placements
from lta.protocols import Network, Split, Splits, TrainedClassifier


class Localisation(Evaluator):
    """IoU with the main object at a threshold, its mean over all thresholds, pointing game, energy in the object, AUC of
    pixels: of each level's map, of their combinations, and of explanations of the same network. 0 to 1, 1 is best.

    A threshold is a share of each map's range (`lta.measures.localisation.THRESHOLDS`). It is chosen on one random half of
    the images and used on the other, and vice versa, for every map and every control by itself. Controls: a uniform map;
    a Gaussian fitted to the other half's objects; the map of a random other image; as many pixels as the map takes, at
    random. Differences to them are paired; intervals resample `sources` where the data have them. On a pretrained backbone
    stand, as maps of their own, what it shows untrained: the length of its features, the class activation map of its own
    classes, and the attention of a ViT's class token; the difference of each learned map to these is paired too.

    Of data with boxes in the place of masks: the share of images in which the box around a map's largest region fits one of
    the image's at an IoU of 0.3, 0.5 and 0.7 (MaxBoxAcc, Choe et al. 2020), each with a threshold of its own; pointing game
    and energy, in the boxes; without the control of random pixels, which make no box.

    `explanations`: "auto" for all where the libraries are installed, or a list; of `explanation_images` random images
    (None: all), since they take many times the time. `steps` are those of integrated gradients. `examples` are drawn.
    """

    name = "localisation"
    several_labels = True

    def __init__(
        self,
        explanations: str | Sequence[str] | None = "auto",
        explanation_images: int | None = 200,
        steps: int = 16,
        examples: int = 8,
        seed: int = 0,
    ):
        key = f"evaluator.{self.name}."
        asked = [explanations] if isinstance(explanations, str) else list(explanations or [])
        if asked != ["auto"]:
            for name in asked:
                checks.require_choice(f"{key}explanations", name, EXPLANATIONS)
            if asked and not has_explanation_libraries():
                raise ValueError(f"{key}explanations={','.join(asked)} needs: pip install lta[explain]")
        if explanation_images is not None:
            checks.require_whole_number(f"{key}explanation_images", explanation_images, least=2)
        for name, value, least in (("steps", steps, 1), ("examples", examples, 0), ("seed", seed, 0)):
            checks.require_whole_number(f"{key}{name}", value, least)
        self.explanations = "auto" if asked == ["auto"] else asked
        self.explanation_images, self.steps = explanation_images, steps
        self.examples, self.seed = examples, seed

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        if get_boxes(data.test) is None:
            check_objects(data)
            object_masks(data.test)
        network = classifier.network
        explanations, _ = self._choose_explanations(network)
        if not has_stages(network) and (unfit := [name for name in explanations if name in OF_STAGES]):
            raise NotApplicable(
                f"evaluator.localisation.explanations={unfit[0]} needs a network with trunk.stages, but "
                f"{type(network).__name__} has none"
            )
        if not network.levels and not explanations:
            raise NotApplicable(f"evaluator={self.name}: this network has no maps, and no explanations are computed")

    def _choose_explanations(self, network: Network) -> tuple[list[str], str]:
        """The explanations, and a line on those that are left out."""
        if isinstance(self.explanations, list):
            return self.explanations, ""
        if not has_explanation_libraries():
            return [], "explanations are left out: captum and grad-cam are not installed (pip install lta[explain])"
        if has_stages(network):
            return list(EXPLANATIONS), ""
        left_out = " and ".join(EXPLANATIONS[name] for name in OF_STAGES)
        return (
            [name for name in EXPLANATIONS if name not in OF_STAGES],
            f"{left_out} are left out: they look at the last of trunk.stages, which {type(network).__name__} does not have",
        )

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        self.check(classifier, data)
        split, levels = data.test, classifier.network.levels
        half = halves(len(split.labels), split.sources, self.seed)
        objects = find_objects(split, half)
        masks = objects.masks
        asked, left_out = self._choose_explanations(classifier.network)

        said, maps = self._compute_maps(classifier, data)
        images = choose_explained_images(half, self.explanation_images, self.seed) if asked else np.arange(0)
        explained = {}
        if asked:
            found = explain(classifier, split.take(images), asked, self.steps, data.eval_batch_size)
            explained = {name: torch.from_numpy(found[name]) for name in asked}
        untrained = compute_untrained_maps(classifier, split, data.eval_batch_size)
        untrained = {name: torch.from_numpy(one) for name, one in untrained.items()}
        check_numbers(maps | explained | untrained)

        kind = getattr(classifier.network, "map_kind", "attention")
        placements = find_placements(classifier.network, (split.images.shape[1], split.images.shape[2]))
        if stages := [name for name in asked if name in OF_STAGES]:
            deepest = place_deepest_stage(classifier.network, (split.images.shape[1], split.images.shape[2]))
            placements |= dict.fromkeys(stages, deepest)
        found = score_maps(maps, objects, np.arange(len(masks)), kind, True, self.seed, placements)
        placements |= place_untrained_maps(classifier.network, (split.images.shape[1], split.images.shape[2]))
        found |= score_maps(untrained, objects, np.arange(len(masks)), "untrained", False, self.seed, placements)
        found |= score_maps(explained, objects, images, "explanation", False, self.seed, placements)
        answer = summarise_scores(found, objects)
        sheets = {"iou_by_threshold": pictures.curves(answer)}
        if self.examples:
            among = images if asked else np.arange(len(masks))
            shown = among[np.linspace(0, len(among) - 1, min(self.examples, len(among))).round().astype(int)]
            drawn = {level: maps[level][shown] for level in levels}
            if len(levels) > 1:
                drawn["product"] = pixel_maps(maps, shown, masks.shape[1:], True, placements)["product"]
            for name in [name for name in DRAWN if name in untrained]:
                drawn[UNTRAINED[name]] = untrained[name][shown]
                placements[UNTRAINED[name]] = placements[name]
            for name in asked[:1]:
                drawn[EXPLANATIONS[name]] = explained[name][np.searchsorted(images, shown)]
                if name in placements:
                    placements[EXPLANATIONS[name]] = placements[name]
            sheets["examples"] = pictures.sheet(
                split.images[shown],
                masks[shown].numpy(),
                {name: one.numpy() for name, one in drawn.items()},
                [str(data.class_names[label]) for label in split.labels[shown]],
                [str(classifier.class_names[k]) for k in said["predicted"][shown]],
                said["confidence"][shown],
                placements,
                classifier.hparams.get("taught_by"),
            )
        rows = table.rows(answer)
        return Result(answer, rows, [*table.lines(answer, left_out), *say_what_was_trained(classifier.network)], sheets)

    def _compute_maps(self, classifier: TrainedClassifier, data: Splits) -> tuple[dict[str, np.ndarray], dict[str, Tensor]]:
        """What the network says of each image, and its maps by level, each at its own resolution."""

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            output = classifier(images)
            confidence, predicted = compute_probabilities(output.logits, gives_several_labels(classifier)).max(1)
            return {"predicted": predicted, "confidence": confidence} | {f"map {k}": v for k, v in output.attn.items()}

        found = run_forward_passes(classifier, data.test, measure_batch, data.eval_batch_size, self.name)
        return found, {level: torch.from_numpy(found[f"map {level}"]) for level in classifier.network.levels}


def check_objects(data: Splits) -> None:
    """Raises ValueError where the data do not say where the objects are."""
    if data.test.roles is None:
        raise ValueError(
            f"evaluator=localisation needs to know where the objects are, but {type(data).__name__} has no masks and no "
            "boxes: choose data=mask_folder, data=box_folder or data=digit_scenes"
        )


def get_boxes(split: Split) -> Float[np.ndarray, "images most 4"] | None:
    """A split need not know of boxes."""
    return getattr(split, "boxes", None)


def find_objects(split: Split, half: Bool[np.ndarray, " images"]) -> Objects:
    """Where they are, from boxes or masks."""
    if (boxes := get_boxes(split)) is None:
        return Objects.from_masks(object_masks(split), half, split.sources)
    return Objects.from_boxes(boxes, (split.images.shape[1], split.images.shape[2]), half, split.sources)


def object_masks(split: Split) -> Bool[Tensor, "images height width"]:
    """Where each image's main object is; raises ValueError where one has none, or masks have another size."""
    masks = find_main_objects(Localisation.name, split)
    empty = (~masks.flatten(1).any(1)).nonzero().flatten()
    if len(empty):
        raise ValueError(
            f"evaluator=localisation: {len(empty):,} of {len(masks):,} test images have an empty mask (the first is image "
            f"{int(empty[0])}, counted from 0): where there is no object, none can be found"
        )
    return masks


def choose_explained_images(half: Bool[np.ndarray, " images"], count: int | None, seed: int) -> np.ndarray:
    """`count` random images (all, where there are no more), in order; of each half as many, as far as they reach."""
    count = min(count or len(half), len(half))
    rng = np.random.default_rng((seed, 1))
    one, other = (rng.permutation(np.flatnonzero(half == side)) for side in (False, True))
    first = min(len(one), max(count - count // 2, count - len(other)))
    return np.sort(np.concatenate([one[:first], other[: count - first]]))


def check_numbers(maps: Mapping[str, Tensor]) -> None:
    """Raises ValueError where a map holds NaN or infinity."""
    for name, values in maps.items():
        if not bool(torch.isfinite(values).all()):
            raise ValueError(
                f"evaluator=localisation: maps of {name} hold values that are not numbers: has training diverged?"
            )
