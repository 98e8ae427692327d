"""From the attention-pooled descriptors of the levels to class logits (paper, section 2.2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


def vector_block(channels: int, dropout: float) -> nn.Sequential:
    """BN -> ReLU -> dropout on a vector: what the authors put before every linear layer that reads a descriptor or g."""
    return nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU(), nn.Dropout(dropout))


class ConcatHead(nn.Module):
    """`concat`: one linear classifier on the joined descriptors."""

    def __init__(self, channels: Sequence[int], num_classes: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(vector_block(c, dropout) for c in channels)
        self.classifier = nn.Linear(sum(channels), num_classes)

    def forward(self, descriptors: Sequence[Float[Tensor, "batch _"]]) -> Float[Tensor, "batch classes"]:
        joined = [block(d) for block, d in zip(self.blocks, descriptors, strict=True)]
        return self.classifier(torch.cat(joined, dim=1))


class IndependentHead(nn.Module):
    """`indep`: a linear classifier per level, logits summed.

    Summed logits are summed log-probabilities up to one constant per image, so that cross-entropy on them is the
    authors' committed loss (a product of experts; `main_AttLevel2_1global` with `pred-ensemble`).
    """

    def __init__(self, channels: Sequence[int], num_classes: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(vector_block(c, dropout) for c in channels)
        self.classifiers = nn.ModuleList(nn.Linear(c, num_classes) for c in channels)

    def forward(self, descriptors: Sequence[Float[Tensor, "batch _"]]) -> Float[Tensor, "batch classes"]:
        levels = zip(self.blocks, self.classifiers, descriptors, strict=True)
        return torch.stack([classifier(block(d)) for block, classifier, d in levels]).sum(0)
