"""From lessons to a network that shows where the object is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lta import checks
from lta.measures.placement import find_placements
from lta.models.measured import fit_measured
from lta.models.taught_net import TaughtNet
from lta.protocols import TrainedClassifier
from lta.teach.fit import Described, Fit, fit_to_masks
from lta.teach.lessons import Lesson, average_in_cells

SOFT = 0.15
"""Of a map's range: how far below its threshold the object begins to count, and how far above it does so fully."""


class Taught(NamedTuple):
    """What was learned of how many masks."""

    fit: Fit
    masks: int


def check_ridge(ridge: Sequence[float]) -> list[float]:
    """Raises ValueError for what is no list of numbers above 0."""
    given = [ridge] if isinstance(ridge, int | float) else list(ridge)
    if not given:
        raise ValueError("ridge=[] is empty; give numbers above 0, for example ridge=0.75")
    for value in given:
        checks.require_number("ridge", value, 0, 1e6, without_low=True)
    return [float(value) for value in given]


def teach(
    classifier: TrainedClassifier, lessons: Sequence[Lesson], ridge: Sequence[float], mirror: bool = True, seed: int = 0
) -> Taught:
    """Fits the scorer of a `TaughtNet` to `lessons`, in place: first the spreads of its features are measured on them.

    `ridge`: see `fit_to_masks`; `mirror`: mirror images are lessons too. Raises ValueError where `ridge` can't be, where
    nothing in the lessons is background, and where the network is no `TaughtNet`.
    """
    network = classifier.network
    if not isinstance(network, TaughtNet):
        raise ValueError(f"teach needs a network for lta.teach (TaughtNet), not a {type(network).__name__}")
    ridges = check_ridge(ridge)
    if all(bool(one.mask.all()) for one in lessons):
        raise ValueError("the masks cover their pictures completely: mark only the object")
    fit_measured(network, lambda most: preprocess_each(classifier, [one.image for one in lessons][:most]))
    fit = fit_to_masks(list(describe_lessons(classifier, network, lessons, mirror)), ridges, seed)
    with torch.no_grad():
        network.scorer.scorer.weight.copy_(fit.scorer.weight)
        network.scorer.scorer.bias.fill_(fit.scorer.bias)
        network.ends.copy_(torch.tensor([max(0.0, fit.threshold - SOFT), min(1.0, fit.threshold + SOFT)]))
    return Taught(fit, len(lessons))


def preprocess_each(classifier: TrainedClassifier, images: Iterable[Tensor]) -> Iterator[Tensor]:
    """As the network sees them, (1, 3, height, width) each: they may have different sizes."""
    device = next(classifier.parameters()).device
    return (classifier.preprocess(image[None].to(device)).float() for image in images)


@torch.inference_mode()
def describe_lessons(
    classifier: TrainedClassifier, network: TaughtNet, lessons: Sequence[Lesson], mirror: bool
) -> Iterator[Described]:
    """Of each lesson, and with `mirror` of its mirror image right after it."""
    level = network.levels[0]
    for number, lesson in enumerate(lessons):
        for shown in [lesson, lesson.mirror()] if mirror else [lesson]:
            features = network.describe(next(preprocess_each(classifier, [shown.image])))[0].cpu()
            placement = find_placements(network, (shown.image.shape[1], shown.image.shape[2]))[level]
            shares = average_in_cells(shown.mask, placement, (features.shape[1], features.shape[2]))
            yield Described(shown, features.clone(), shares, placement, number)
