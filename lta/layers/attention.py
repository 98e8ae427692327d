"""The attention unit: project, score, normalise (paper, section 2); what is done with a map: pool, or gate."""

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


class AttentionOutput(NamedTuple):
    """`local_feat` is what was scored: the level's features, projected where the unit projects them."""

    local_feat: Float[Tensor, "batch channels height width"]
    attn: Float[Tensor, "batch height width"]
    scores: Float[Tensor, "batch height width"]


class Attention(nn.Module):
    """One attention unit on one level: `attn = normalise(compat(l, project(g)))`.

    `normaliser` is "softmax" (maps sum to 1; the paper) or "sigmoid" (each position in (0, 1)). `project` takes the
    query, `project_local` the level's features to the channels that `compat` was built for, where they differ.
    """

    def __init__(
        self,
        compat: Compatibility,
        normaliser: str = "softmax",
        project: nn.Module | None = None,
        project_local: nn.Module | None = None,
    ):
        super().__init__()
        checks.require_choice("model.normaliser", normaliser, NORMALISERS)
        self.compat = compat
        self.normaliser = normaliser
        self.project = project
        self.project_local = project_local

    @property
    def query_is_inert(self) -> bool:
        """Whether map, descriptor and gradients are free of the query: a separable score under softmax, or one without g."""
        return not self.compat.reads_query or (self.compat.separable and self.normaliser == "softmax")

    def forward(
        self, local_feat: Float[Tensor, "batch local height width"], global_feat: Float[Tensor, "batch query"] | None
    ) -> AttentionOutput:
        """`global_feat=None` leaves the query out, which only an inert one allows."""
        if self.project_local is not None:
            local_feat = self.project_local(local_feat)
        if global_feat is not None and self.project is not None:
            global_feat = self.project(global_feat)
        scores = self.compat(local_feat, global_feat)
        return AttentionOutput(local_feat, NORMALISERS[self.normaliser](scores), scores)


def pool(
    local_feat: Float[Tensor, "batch channels height width"], attn: Float[Tensor, "batch height width"]
) -> Float[Tensor, "batch channels"]:
    """The descriptor `sum_i attn_i l_i`: with softmax a convex combination (paper, section 2.1)."""
    weights = attn.flatten(1).unsqueeze(1).to(local_feat.dtype)
    return torch.bmm(weights, local_feat.flatten(2).transpose(1, 2)).squeeze(1)


def gate(
    local_feat: Float[Tensor, "batch channels height width"], attn: Float[Tensor, "batch height width"]
) -> Float[Tensor, "batch channels height width"]:
    """`attn_i l_i` at every position, neither rescaled nor added to l (author_spec section 3: HL, PAN, LL)."""
    return local_feat * attn.unsqueeze(1).to(local_feat.dtype)
