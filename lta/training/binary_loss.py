"""What a network is taught by whose pictures have several labels each."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lta.training.losses import LabelLoss, read_class_weights


class BinaryCrossEntropy(LabelLoss):
    """The sum over the classes of the binary cross-entropy with logits, a mean over the batch, in full precision; of several
    `output.loss_logits` the sum. A class's logit has the gradient, probability minus label, that it has in `CrossEntropy`,
    so that learning rates keep their meaning.

    `label_smoothing` s: a label 1 counts as 1 - s/2, a label 0 as s/2. `class_weights`: "balanced", so that the images with
    a label and those without have the same sum of weights; or by name how many times as much as the others an image with
    the label counts in that label's loss. Both are scaled, for each class, to a mean of 1 over the training images; they
    need `fit_classes`. `focal`: the exponent g of (1 - p)^g, where p is the probability of what is right (Lin et al. 2017).
    The other settings are those of `LabelLoss`.
    """

    several_labels = True

    def fit_classes(self, labels: UInt8[np.ndarray, "images classes"], class_names: Sequence[str]) -> None:
        """Takes the weights from the training images. Raises ValueError for the weight of no class, and for no weight."""
        if self.class_weights is None:
            return
        there, images = labels.sum(0, dtype=np.float64), len(labels)
        counts = np.stack([images - there, there])  # without the label, with it
        if isinstance(self.class_weights, Mapping):
            given = read_class_weights(self.class_weights, class_names)
            weights = np.stack([np.ones_like(given), given])
        else:
            weights = np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)
        self.weights = torch.tensor(weights * images / (weights * counts).sum(0), dtype=torch.float32)

    def _compute(self, logits: Float[Tensor, "batch classes"], labels: UInt8[Tensor, "batch classes"]) -> Float[Tensor, ""]:
        true = labels.to(logits.dtype)
        smoothed = true * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = nn.functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        if self.focal:
            wrong = (logits * (1 - 2 * true)).sigmoid()
            losses = losses * wrong.clamp(min=1e-6) ** self.focal  # the gradient of 0^g with g < 1 is infinite
        if self.class_weights is not None:
            assert self.weights is not None, "fit_classes comes first"
            losses = losses * torch.lerp(self.weights[0], self.weights[1], true.to(self.weights.dtype))
        return losses.sum(1).mean()
