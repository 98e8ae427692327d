"""A trunk, attention units on some of its levels, and a head."""

from collections.abc import Collection, Mapping
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from lta.layers.attention import Attention, AttentionOutput, gate, pool
from lta.layers.junction import Junction
from lta.models.cells import find_trunk_cells
from lta.models.output import NetworkOutput
from lta.models.trunk import StagedTrunk
from lta.protocols import ByName, Cells, Head, Trunk

HEAD = "head"
"""The source of a query that is made from the vector which a trunk gives beside its levels."""


def has_stages(trunk: Trunk) -> bool:
    """Whether it is made of parts, from one level to the next, as a `StagedTrunk` is."""
    return hasattr(trunk, "stages")


class AttentionNet(nn.Module):
    """Classifies from attention-pooled local features alone (paper, section 2).

    `trunk.stages` maps each level, shallow to deep, to the part of the trunk that leads there; a trunk without stages gives
    its features at once, and the vector for a query of the source "head". `attention` has one unit per level used.
    `branches[s]` makes a global vector g from level s, and `queries[t]` names the one that level t is attended with, or is
    None where that query is inert and left out. Levels in `gates` give no descriptor to the head: their features, each
    multiplied by its attention, go on through the trunk (HL, LL, PAN of author_spec section 3).

    `divisors` (author_spec section 4) belong to the features of a level, and to the vector g of level s as `g_s`.
    """

    def __init__(
        self,
        trunk: Trunk,
        branches: Mapping[str, nn.Module],
        queries: Mapping[str, str | None],
        attention: Mapping[str, Attention],
        head: Head,
        gates: Collection[str] = (),
        divisors: Mapping[str, int] | None = None,
    ):
        super().__init__()
        assert not gates or has_stages(trunk), "gates change what goes on from stage to stage"
        self.trunk = trunk
        self.branches = nn.ModuleDict(branches)
        self.attention = cast("ByName[Attention]", nn.ModuleDict(attention))
        self.head = head
        self.queries, self.gates = dict(queries), tuple(gates)
        self.junctions = nn.ModuleDict({name: Junction(divisor) for name, divisor in (divisors or {}).items()})
        assert set(self.queries) == set(self.attention)
        assert not set(self.acting_levels) & set(self.pruned_levels), "only an inert query can be left out"

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels that have attention, from the shallowest to the deepest."""
        return tuple(self.attention)

    @property
    def cells(self) -> Mapping[str, Cells]:
        """Of the maps, by level; raises ValueError where a layer of the trunk doesn't say it."""
        cells = self.trunk.cells
        return {level: cells[level] for level in self.levels}

    def cells_in(self, size: tuple[int, int]) -> Mapping[str, Cells]:
        """The same in pictures of `size` (height, width)."""
        cells = find_trunk_cells(self.trunk, size)
        return {level: cells[level] for level in self.levels}

    @property
    def classifiers(self) -> tuple[nn.Linear, ...]:
        """The linear layers that put out the classes, one or (head=indep) one a level; joined, what they read is the
        picture's feature vector (author_spec section 9): the descriptors after BN and ReLU."""
        return tuple(self.head.classifiers)

    @property
    def inert_levels(self) -> tuple[str, ...]:
        """Levels whose map provably ignores the query."""
        return tuple(level for level, unit in self.attention.items() if unit.query_is_inert)

    @property
    def acting_levels(self) -> tuple[str, ...]:
        """Levels whose map depends on the query."""
        return tuple(level for level in self.attention if level not in self.inert_levels)

    @property
    def pruned_levels(self) -> tuple[str, ...]:
        """Levels whose inert query was left out of the network."""
        return tuple(level for level, source in self.queries.items() if source is None)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        global_feats: Mapping[str, Tensor] | None = None,
        kept: dict[str, Tensor] | None = None,
    ) -> NetworkOutput:
        """`global_feats` stand in for the network's own queries, e.g. another picture's; keys as in the output's.

        To ask the same images about several queries, give the same `kept`, empty at first, with every call: features of
        the trunk that no query has a part in (up to the first gate) are computed once and kept there.

        Raises ValueError where this network makes no query of that key.
        """
        given = dict(global_feats or {})
        if unknown := set(given) - set(self.branches):
            there = ", ".join(self.branches) or "none: it was built with prune_inert_query"
            raise ValueError(f"this network has no query {min(unknown)} that could be replaced; it has {there}")
        kept = {} if kept is None else kept
        collect = self._go_through_stages if has_stages(self.trunk) else self._collect_features
        feats, queries, attended = collect(images, given, kept)
        for level, unit in self.attention.items():
            if level not in self.gates:
                attended[level] = unit(feats[level], self._find_query(queries, level))
        attended = {level: attended[level] for level in self.attention}
        descriptors = {level: pool(a.local_feat, a.attn) for level, a in attended.items() if level not in self.gates}
        prediction = self.head(list(descriptors.values()))
        return NetworkOutput(
            logits=prediction.logits,
            loss_logits=prediction.loss_logits,
            attn={level: a.attn for level, a in attended.items()},
            scores={level: a.scores for level, a in attended.items()},
            descriptors=descriptors,
            global_feats=queries,
        )

    def _go_through_stages(
        self, images: Tensor, given: Mapping[str, Tensor], kept: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, AttentionOutput]]:
        """Features by level, queries by source, and what was attended at gates."""
        feats: dict[str, Tensor] = {}
        queries: dict[str, Tensor] = {}
        attended: dict[str, AttentionOutput] = {}
        x = images
        for level, stage in cast("StagedTrunk", self.trunk).stages.items():
            x = feats[level] = kept[level] if level in kept else self._join(level, stage(x))
            if not attended:  # no gate has come before
                kept[level] = x
            if level in self.branches:
                query = given[level] if level in given else self.branches[level](x)
                queries[level] = self._join(f"g_{level}", query)
            if level in self.gates:
                attended[level] = self.attention[level](x, self._find_query(queries, level))
                x = gate(x, attended[level].attn)
        return feats, queries, attended

    def _collect_features(
        self, images: Tensor, given: Mapping[str, Tensor], kept: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, AttentionOutput]]:
        """The same of a trunk that gives all of its features at once."""
        if not kept:
            levels, vector = self.trunk.features(images)
            kept.update(levels)
            if vector is not None:
                kept[HEAD] = vector
        queries = {
            source: given[source] if source in given else self.branches[source](kept[source]) for source in self.branches
        }
        return {level: kept[level] for level in self.levels}, queries, {}

    def _find_query(self, queries: Mapping[str, Tensor], level: str) -> Tensor | None:
        """What this level is attended with; None where it was left out."""
        source = self.queries[level]
        return None if source is None else queries[source]

    def _join(self, name: str, x: Tensor) -> Tensor:
        return self.junctions[name](x) if name in self.junctions else x

    @property
    def inert_parameters(self) -> int:
        """Parameters that act on nothing: global branches that only inert levels read, and projections of g there."""
        dead = [unit.project for unit in self.attention.values() if unit.query_is_inert]
        acting = {self.queries[level] for level in self.acting_levels}
        dead += [branch for source, branch in self.branches.items() if source not in acting]
        return sum(p.numel() for module in dead if module is not None for p in module.parameters())
