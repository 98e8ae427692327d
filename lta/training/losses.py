"""What a network is taught by: from its output and the labels to one number."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lta import checks
from lta.layers.precision import to_full_precision
from lta.models.output import NetworkOutput
from lta.protocols import Loss
from lta.training.recipes import Recipe


class CrossEntropy(nn.Module):
    """The sum of the cross-entropies of `output.loss_logits`, each a mean over the batch, in full precision.

    `label_smoothing`: the share of each label that is spread evenly over all classes. conf/ hands on that of the recipe.
    """

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        checks.require_number("recipe.label_smoothing", label_smoothing, 0, 1)
        self.label_smoothing = label_smoothing

    def forward(self, output: NetworkOutput, labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        losses = [
            nn.functional.cross_entropy(to_full_precision(logits), labels, label_smoothing=self.label_smoothing)
            for logits in output.loss_logits
        ]
        return torch.stack(losses).sum()


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
            f"recipe.label_smoothing is {asked:g} and that of loss={name} {done:g}: give recipe.label_smoothing={done:g}"
        )
