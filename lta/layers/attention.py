"""The attention unit: project the query, score, normalise, pool (paper, section 2)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.compatibility import Compatibility

NORMALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda scores: scores.flatten(1).softmax(1).view_as(scores),
    "sigmoid": torch.sigmoid,
}


class Attended(NamedTuple):
    descriptor: Float[Tensor, "batch channels"]
    attn: Float[Tensor, "batch height width"]
    scores: Float[Tensor, "batch height width"]


class Attention(nn.Module):
    """One attention unit on one level: `attn = normalise(compat(l, project(g)))`, `descriptor = sum_i attn_i l_i`.

    `normaliser` is "softmax" (maps sum to 1; the paper) or "sigmoid" (each position in (0, 1)).
    `project` maps the query to the level's number of channels where they differ.
    """

    def __init__(self, compat: Compatibility, normaliser: str = "softmax", project: nn.Module | None = None):
        super().__init__()
        checks.choice("model.normaliser", normaliser, NORMALISERS)
        self.compat = compat
        self.normaliser = normaliser
        self.project = project

    @property
    def query_is_inert(self) -> bool:
        """Whether map, descriptor and gradients are free of the query: a separable score under softmax."""
        return self.compat.separable and self.normaliser == "softmax"

    def forward(
        self, local_feat: Float[Tensor, "batch channels height width"], global_feat: Float[Tensor, "batch query"] | None
    ) -> Attended:
        if global_feat is not None and self.project is not None:
            global_feat = self.project(global_feat)
        scores = self.compat(local_feat, global_feat)
        attn = NORMALISERS[self.normaliser](scores)
        weights = attn.flatten(1).unsqueeze(1).to(local_feat.dtype)
        descriptor = torch.bmm(weights, local_feat.flatten(2).transpose(1, 2)).squeeze(1)
        return Attended(descriptor, attn, scores)
