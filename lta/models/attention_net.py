"""A trunk, attention units on some of its levels, and a head."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from lta.layers.attention import Attention
from lta.models.output import NetworkOutput


class AttentionNet(nn.Module):
    """Classifies from attention-pooled local features alone (paper, section 2).

    `trunk(images)` gives `{level: local_feat}`; `global_branch` reads the deepest level and gives the query g, or is
    None where every level's query is inert and the dead branch is left out; `attention` has one unit per level used.
    """

    def __init__(
        self, trunk: nn.Module, global_branch: nn.Module | None, attention: Mapping[str, Attention], head: nn.Module
    ):
        super().__init__()
        self.trunk = trunk
        self.global_branch = global_branch
        self.attention = nn.ModuleDict(attention)
        self.head = head
        assert global_branch is not None or not self.acting_levels, "only an inert query can be left out"

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(self.attention)

    @property
    def inert_levels(self) -> tuple[str, ...]:
        """Levels whose map provably ignores the query."""
        return tuple(level for level, unit in self.attention.items() if unit.query_is_inert)

    @property
    def acting_levels(self) -> tuple[str, ...]:
        """Levels whose map depends on the query."""
        return tuple(level for level in self.attention if level not in self.inert_levels)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        global_feat: Float[Tensor, "batch query"] | None = None,
    ) -> NetworkOutput:
        """`global_feat` stands in for the network's own query, e.g. another picture's."""
        feats = self.trunk(images)
        if self.global_branch is None:
            if global_feat is not None:
                raise ValueError("this network was built with prune_inert_query: it has no query that could be replaced")
        elif global_feat is None:
            global_feat = self.global_branch(feats["C"])
        attended = {level: unit(feats[level], global_feat) for level, unit in self.attention.items()}
        return NetworkOutput(
            logits=self.head([a.descriptor for a in attended.values()]),
            attn={level: a.attn for level, a in attended.items()},
            scores={level: a.scores for level, a in attended.items()},
            descriptors={level: a.descriptor for level, a in attended.items()},
            global_feat=global_feat,
        )

    @property
    def inert_parameters(self) -> int:
        """Parameters that act on nothing: the global branch and projections of g that only inert levels read."""
        dead = [unit.project for level, unit in self.attention.items() if level in self.inert_levels]
        if not self.acting_levels:
            dead.append(self.global_branch)
        return sum(p.numel() for module in dead if module is not None for p in module.parameters())
