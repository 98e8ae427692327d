"""The frozen features of a picture: the vector that the network's linear classifier reads, or its raw pixels."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lta.evaluators.passes import run_forward_passes
from lta.protocols import Split, TrainedClassifier

Features = Float[np.ndarray, "_ dimensions"]
"""One row an image."""


def network_features(classifier: TrainedClassifier, split: Split, batch_size: int, doing: str) -> Features:
    """What the layers in `network.classifiers` read, joined, in eval mode; float32, in the split's order."""
    read: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0])) for layer in classifier.network.classifiers
    ]

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        read.clear()
        classifier(images)
        return {"features": torch.cat(read, dim=1)}

    try:
        return run_forward_passes(classifier, split, measure_batch, batch_size, doing)["features"]
    finally:
        for hook in hooks:
            hook.remove()


def pixel_size(size: tuple[int, int], most: int) -> tuple[int, int]:
    """(height, width) of the largest picture of the same form with at most `most` values (3 or more) in three channels."""
    scale = min(1.0, math.sqrt(most / (3 * size[0] * size[1])))
    height = max(1, int(size[0] * scale + 1e-9))
    return height, max(1, min(int(size[1] * scale + 1e-9), most // (3 * height)))


def pixel_features(
    classifier: TrainedClassifier, split: Split, size: tuple[int, int], batch_size: int, doing: str
) -> Features:
    """The pictures themselves, 0 to 255, averaged over areas to `size`. Of the classifier the device is used alone."""

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        return {"features": F.adaptive_avg_pool2d(images.float(), size).flatten(1)}

    return run_forward_passes(classifier, split, measure_batch, batch_size, doing)["features"]
