"""Whether batch norms' running statistics fit the pictures that a trained network is shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lta.protocols import Split, TrainedClassifier

IMAGES, LEAST = 128, 32
"""Training images that are looked at, at most and at least."""

POINTS = 15.0
"""By how much more images may be wrong with running statistics. Dropout is off for both, so they should hardly differ."""


class Shift(NamedTuple):
    """Percent of `images` training images that are answered wrongly with the running statistics, and with those of the
    images themselves."""

    images: int
    running: float
    batch: float

    def describe(self) -> str:
        """In words."""
        return (
            f"running statistics do not fit: of {self.images} training images {self.running:.0f} % are wrong with them, "
            f"{self.batch:.0f} % with the batch's own. Dropout before batch norms (model.dropout=0 switches it off) or "
            "too few steps cause this"
        )


@torch.no_grad()
def find_shift(classifier: TrainedClassifier, train: Split) -> Shift | None:
    """None where they fit (POINTS), there are too few images, or the network has no running statistics of its own training.

    Two passes in evaluation mode over evenly spaced training images; nothing of the network changes, no random number is
    drawn. Of several processes each does the same.
    """
    network = cast("nn.Module", classifier.network)
    norms = [norm for norm in network.modules() if isinstance(norm, _BatchNorm) and norm.track_running_stats]
    norms = [norm for norm in norms if not getattr(norm, "keeps_statistics", False)]
    count = min(IMAGES, len(train.labels))
    if not norms or count < LEAST:
        return None
    sample = np.linspace(0, len(train.labels) - 1, count).astype(int)
    device = next(network.parameters()).device
    images = torch.from_numpy(np.ascontiguousarray(train.images[sample])).permute(0, 3, 1, 2).to(device)
    labels = torch.as_tensor(np.asarray(train.labels[sample]), device=device)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        running = _count_wrong(classifier, images, labels)
        with _own_statistics(norms):
            batch = _count_wrong(classifier, images, labels)
    finally:
        for module, mode in modes:
            module.training = mode
    return Shift(count, running, batch) if running > batch + POINTS else None


def _count_wrong(classifier: TrainedClassifier, images: Tensor, labels: Tensor) -> float:
    """In percent."""
    logits = classifier(images).logits
    wrong = logits.argmax(1) != labels if labels.ndim == 1 else ((logits >= 0) != labels.bool()).any(1)
    return 100 * wrong.double().mean().item()


@contextmanager
def _own_statistics(norms: list[_BatchNorm]) -> Iterator[None]:
    """Inside, they use the batch's statistics and count nothing."""
    for norm in norms:
        norm.training, norm.track_running_stats = True, False
    try:
        yield
    finally:
        for norm in norms:
            norm.training, norm.track_running_stats = False, True
