"""From the attention-pooled descriptors of the levels to class logits (paper, section 2.2)."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.dropout import Layers

COMBINE = ("product", "sum_ce", "average")


class Prediction(NamedTuple):
    """`logits` decide the class. The training loss is the sum of the cross-entropies of all `loss_logits`."""

    logits: Float[Tensor, "batch classes"]
    loss_logits: tuple[Float[Tensor, "batch classes"], ...]


def vector_block(channels: int, dropout: float) -> Layers:
    """BN -> ReLU -> dropout on a vector: what the authors put before every linear layer that reads a descriptor or g."""
    return Layers(nn.BatchNorm1d(channels), nn.ReLU(), nn.Dropout(dropout))


class ConcatHead(nn.Module):
    """`concat`: one linear classifier on the joined descriptors."""

    def __init__(self, channels: Sequence[int], num_classes: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(vector_block(c, dropout) for c in channels)
        self.classifier = nn.Linear(sum(channels), num_classes)

    @property
    def classifiers(self) -> tuple[nn.Linear, ...]:
        """The one classifier."""
        return (self.classifier,)

    def forward(self, descriptors: Sequence[Float[Tensor, "batch _"]]) -> Prediction:
        """`descriptors` from the shallowest level to the deepest, joined before the classifier."""
        joined = [block(d) for block, d in zip(self.blocks, descriptors, strict=True)]
        logits = self.classifier(torch.cat(joined, dim=1))
        return Prediction(logits, (logits,))


class IndependentHead(nn.Module):
    """`indep`: a linear classifier per level; `combine` says how they become one prediction and one loss.

    - "product": logits summed. Up to one constant per image these are the summed log-probabilities of the authors'
      committed script, whose cross-entropy it takes: a product of experts (`2_level_atten_1global_pred-ensemble`).
    - "sum_ce": the same prediction, trained by the sum of the levels' own cross-entropies (a line commented out there).
    - "average": the mean of the levels' class probabilities, as the paper's section 2.2 has it; `logits` are its logs.
    """

    def __init__(self, channels: Sequence[int], num_classes: int, dropout: float, combine: str = "product"):
        super().__init__()
        checks.require_choice("head.combine", combine, COMBINE)
        self.combine = combine
        self.blocks = nn.ModuleList(vector_block(c, dropout) for c in channels)
        self.classifiers = cast("Iterable[nn.Linear]", nn.ModuleList(nn.Linear(c, num_classes) for c in channels))

    def forward(self, descriptors: Sequence[Float[Tensor, "batch _"]]) -> Prediction:
        """`descriptors` from the shallowest level to the deepest, each to its own classifier. With `sum_ce` the loss is
        given each classifier's logits, else the logits of the prediction."""
        levels = zip(self.blocks, self.classifiers, descriptors, strict=True)
        each = torch.stack([classifier(block(d)) for block, classifier, d in levels])
        if self.combine == "average":
            log_probabilities = (each if each.dtype == torch.float64 else each.float()).log_softmax(2)
            logits = log_probabilities.logsumexp(0) - math.log(len(each))
        else:
            logits = each.sum(0)
        return Prediction(logits, tuple(each) if self.combine == "sum_ce" else (logits,))
