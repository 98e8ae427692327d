"""What a network is taught by: from its output and the labels to one number."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn

from lta import checks
from lta.layers.precision import to_full_precision
from lta.models.output import NetworkOutput
from lta.protocols import Loss
from lta.training.mask_loss import make_mask_loss
from lta.training.recipes import Recipe

BALANCED = "balanced"


class LabelLoss(nn.Module):
    """What `CrossEntropy` and `BinaryCrossEntropy` share: their settings, and the sum over `output.loss_logits`.

    `mask`: the weight of what training adds for pictures that have a mask, with `mask_kind`, `mask_levels` and `mask_count`
    (see `MaskLoss`); 0: nothing.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Any = None,
        focal: float = 0.0,
        mask: float = 0.0,
        mask_kind: str = "bce",
        mask_levels: Sequence[str] | None = None,
        mask_count: int | None = None,
    ):
        super().__init__()
        checks.require_number("recipe.label_smoothing", label_smoothing, 0, 1)
        checks.require_number("loss.focal", focal, 0, 100)
        check_class_weights(class_weights)
        self.label_smoothing, self.class_weights, self.focal = label_smoothing, class_weights, focal
        self.weights: Tensor | None
        self.register_buffer("weights", None, persistent=False)  # follows from the data: no part of a checkpoint
        self.of_masks = make_mask_loss(mask, mask_kind, mask_levels, mask_count)

    def forward(self, output: NetworkOutput, labels: Integer[Tensor, "batch *classes"]) -> Float[Tensor, ""]:
        return torch.stack([self._compute(to_full_precision(logits), labels) for logits in output.loss_logits]).sum()

    @abstractmethod
    def _compute(self, logits: Float[Tensor, "batch classes"], labels: Tensor) -> Float[Tensor, ""]:
        """Of one set of logits, a mean over the batch."""


class CrossEntropy(LabelLoss):
    """The sum of the cross-entropies of `output.loss_logits`, each a mean over the batch, in full precision.

    `label_smoothing`: the share of each label that is spread evenly over all classes. conf/ hands on that of the recipe.
    `class_weights`: "balanced", so that each class has the same sum of weights over the training images, or weights by
    class name, 1 for those that are not named; all are then scaled to a mean of 1 over the training images, so that the
    learning rate keeps its meaning. They need `fit_classes`. `focal`: the exponent g of (1 - p)^g, by which the loss of an
    image whose class has the probability p is multiplied (Lin et al. 2017); 0: no such factor.

    A batch's loss is divided by its number of images, not by its sum of weights: several processes then follow the same
    gradient as one. The other settings are those of `LabelLoss`.
    """

    def fit_classes(self, labels: Int[np.ndarray, " images"], class_names: Sequence[str]) -> None:
        """Takes the weights from the training images. Raises ValueError for the weight of no class, and for no weight."""
        if self.class_weights is None:
            return
        counts = np.bincount(labels, minlength=len(class_names)).astype(np.float64)
        if isinstance(self.class_weights, Mapping):
            weights = read_class_weights(self.class_weights, class_names)
        else:
            weights = np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)
        self.weights = torch.tensor(weights * counts.sum() / (weights @ counts), dtype=torch.float32)

    def _compute(self, logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        if self.class_weights is None and not self.focal:
            return nn.functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        losses = nn.functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing, reduction="none")
        if self.focal:
            own = logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
            # of -expm1(own), 1 - p without rounding: the gradient of 0^g with g < 1 is infinite
            losses = losses * (-torch.expm1(own)).clamp(min=1e-6) ** self.focal
        if self.class_weights is not None:
            assert self.weights is not None, "fit_classes comes first"
            losses = losses * self.weights[labels]
        return losses.mean()


def check_class_weights(given: Any) -> None:
    """Raises ValueError for what is no kind of weights."""
    if given is not None and given != BALANCED and not isinstance(given, Mapping):
        raise ValueError(f"loss.class_weights={given} must be balanced, or weights by class such as {{cat: 3}}")


def read_class_weights(given: Mapping[str, float], class_names: Sequence[str]) -> Float[np.ndarray, " classes"]:
    """By class, 1 for those that are not named. Raises ValueError for the weight of no class, and for no weight."""
    weights = {str(name): weight for name, weight in given.items()}
    for name, weight in weights.items():
        if name not in class_names:
            raise ValueError(f"loss.class_weights has {name}, which is no class of the data: {', '.join(class_names)}")
        checks.require_number(f"loss.class_weights.{name}", weight, 0, 1e6, without_low=True)
    return np.array([weights.get(name, 1.0) for name in class_names], np.float64)


def check_loss(loss: Loss, recipe: Recipe) -> None:
    """Raises ValueError for a loss with trainable weights, which no recipe trains, and where the recipe asks for label
    smoothing and the loss does none, or another."""
    called = loss.func if isinstance(loss, partial) else loss
    name = getattr(called, "__name__", type(called).__name__)
    if isinstance(loss, nn.Module) and any(weight.requires_grad for weight in loss.parameters()):
        raise ValueError(f"loss={name} has trainable weights, which no recipe trains: make them buffers")
    asked, done = (getattr(of, "label_smoothing", 0.0) for of in (recipe, loss))
    if asked != done:
        raise ValueError(
            f"recipe.label_smoothing is {asked:g}, but loss={name} has {done:g}: give recipe.label_smoothing={done:g}"
        )
