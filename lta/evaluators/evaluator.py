"""What all evaluators share: a question is asked of a trained network, and the answer is figures, rows and pictures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor

from lta.measures.label_sets import gives_several_labels
from lta.protocols import Split, Splits, TrainedClassifier

MAIN = 2
"""The main object's value in a split's roles."""


class Result(NamedTuple):
    """`figures`: a nest of plain values; a figure is `{"value", "interval", "n"}`, with its controls beside it.
    `rows`: one table, a dict a line, the same keys in each. `lines`: what is printed. `pictures`, and more `tables` like
    `rows`: by file name.
    """

    figures: dict[str, Any]
    rows: list[dict[str, Any]]
    lines: list[str]
    pictures: dict[str, Image.Image] = {}  # noqa: RUF012  never changed
    tables: dict[str, list[dict[str, Any]]] = {}  # noqa: RUF012  never changed


class NotApplicable(ValueError):
    """A question that this network can't be asked, whatever becomes of the others that it is asked of."""


class Evaluator(ABC):
    """A question with its settings. `name` is that of its file in conf/evaluator/.

    `run(classifier, data)`: `classifier` is a trained Classifier in eval mode on its device (uint8 pictures in,
    NetworkOutput out), `data` an ImageData after setup, whose `test` split is looked at. Every process calls it and gets
    the same result; images are shared among them by `lta.evaluators.passes`.
    `check(classifier, data)` comes first, after a training's set-up too: it raises ValueError, in one line, where the
    question can't be asked of these data or with these settings, NotApplicable where not of this network. It computes
    nothing.
    `several_labels`: whether it can be asked of a network that gives an image several labels in the place of one class.
    """

    name: str
    several_labels: bool = False

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:  # noqa: B027  most questions can be asked of anything
        """Does nothing: most questions can be asked of anything."""

    @abstractmethod
    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        """The answer; see the class."""

    def summarise(self, figures: Mapping[str, Any]) -> list[str]:
        """Lines of `figures` for the summary of a run that asks this by default; most questions have none there."""
        return []


def check_asked_of_labels(evaluators: Mapping[str, Evaluator]) -> None:
    """Raises NotApplicable where one of them can't be asked of a network that gives several labels."""
    for name, evaluator in evaluators.items():
        if not getattr(evaluator, "several_labels", False):
            raise NotApplicable(f"evaluator={name} needs one class per image, but this network gives several labels")


def check_attention(name: str, classifier: TrainedClassifier) -> None:
    """Raises NotApplicable where the network has no maps."""
    if not classifier.network.levels:
        raise NotApplicable(f"evaluator={name} needs attention maps, but this network has none")


def check_masks(name: str, data: Splits) -> None:
    """Raises ValueError where the data do not say where the objects are."""
    if data.test.roles is None:
        raise ValueError(
            f"evaluator={name} needs to know where the objects are, but {type(data).__name__} has no masks: choose "
            "data=digit_scenes or data=mask_folder"
        )


def find_main_objects(name: str, split: Split) -> Bool[Tensor, "images height width"]:
    """Where each image's main object is, after `check_masks`. Raises ValueError where masks have another size."""
    assert split.roles is not None, "check_masks comes first"
    if split.roles.shape != split.images.shape[:3]:
        of_masks, of_images = (f"{shape[2]}x{shape[1]}" for shape in (split.roles.shape, split.images.shape))
        raise ValueError(f"evaluator={name}: masks of {of_masks} pixels do not fit images of {of_images}")
    return torch.from_numpy(np.asarray(split.roles)) == MAIN


def labels_for(classifier: TrainedClassifier, data: Splits, labels: np.ndarray) -> np.ndarray:
    """`labels`, positions in the data's classes, int64 (n,), as positions in the classifier's classes, matched by name; of
    several an image, uint8 (n, classes), the columns in the classifier's order.

    Raises NotApplicable where a class of these images is not among them, and where only one of the two is of several labels.
    """
    several = gives_several_labels(classifier)
    if several != (labels.ndim == 2):
        data_have, network_gives = ("one class", "several labels") if several else ("several labels", "one class")
        raise NotApplicable(f"the data have {data_have} per image, but this network gives {network_gives}")
    if tuple(data.class_names) == tuple(classifier.class_names):
        return labels
    known = {name: number for number, name in enumerate(classifier.class_names)}
    places = np.flatnonzero(labels.any(0)) if several else np.unique(labels)
    present = sorted({data.class_names[int(label)] for label in places})
    if unknown := [name for name in present if name not in known]:
        raise NotApplicable(
            f"the data have the class {unknown[0]}, which this network does not know; it knows "
            f"{', '.join(map(str, classifier.class_names))}"
        )
    if several:
        found = np.zeros((len(labels), len(known)), labels.dtype)
        for name in present:
            found[:, known[name]] = labels[:, list(data.class_names).index(name)]
        return found
    return np.array([known.get(name, -1) for name in data.class_names], np.int64)[labels]
