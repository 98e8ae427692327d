"""Puts attention on the levels of any trunk: which levels, which queries, what is done with the maps."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from lta import checks
from lta.layers.attention import Attention
from lta.layers.compatibility import Compatibility
from lta.layers.heads import vector_block
from lta.models.attention_net import AttentionNet
from lta.models.trunk import StagedTrunk
from lta.protocols import Head

BuildHead = Callable[[Sequence[int], int, float], Head]
"""From the channels of the descriptors, the number of classes and the rate of dropout."""

QUERIES = ("shared", "own")
PROJECT = ("query", "local")


def assemble(
    trunk: StagedTrunk,
    num_classes: int,
    branch: Callable[[str], nn.Module],
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: BuildHead,
    normaliser: str | Mapping[str, str] = "softmax",
    query: str = "shared",
    project: str = "query",
    gates: Sequence[str] = (),
    prune_inert_query: bool = False,
    head_dropout: float = 0.5,
    query_dropout: float = 0.5,
) -> AttentionNet:
    """`trunk` has `stages` and `channels` by level; `branch(level)` makes the g of that level's channels.

    `query`: every level is attended with the deepest level's g ("shared") or with the g made from it ("own").
    `project`: where a level has other channels than g, g is projected (BN, ReLU, dropout, linear) or, with "local", the
    level's features are (1x1 convolution), g then passing BN, ReLU and dropout only. `normaliser`: one for all, or by
    level. `gates`: levels whose attention multiplies the features that go on, instead of pooling them; these need "own".
    `prune_inert_query` leaves out branches and projections whose query is inert; raises ValueError where there is none.
    """
    stages = list(trunk.stages)
    levels, gates = _check_levels(levels, stages), _check_gates(gates, levels)
    checks.require_choice("model.query", query, QUERIES)
    checks.require_choice("model.project", project, PROJECT)
    checks.require_flag("model.prune_inert_query", prune_inert_query)
    for part, given in (("compat", compat), ("head", head)):
        if not callable(given):
            raise ValueError(f"model.{part}={given} is not how it is chosen; give {part}={given}")
    if project == "local" and all(trunk.channels[level] == trunk.channels[stages[-1]] for level in levels):
        raise ValueError(f"model.project=local is not used: the levels {', '.join(levels)} have the query's channels")
    if project == "local" and query == "own":
        raise ValueError("model.project=local is not used with model.query=own: each query has its level's channels")
    if gates and query != "own":
        raise ValueError(
            f"model.query={query} does not go with model.gates={list(gates)}: what decides a gate must be known before it "
            "is passed, so each level needs its own query (model.query=own)"
        )
    queries: dict[str, str | None] = {level: level if query == "own" else stages[-1] for level in levels}
    units: dict[str, Attention] = {}
    read: dict[str, int] = {}
    for level in levels:
        width, asked = trunk.channels[level], trunk.channels[level if query == "own" else stages[-1]]
        of_query, of_local, shared_width = None, None, width
        if width != asked:
            of_query = vector_block(asked, query_dropout)
            if project == "local":
                of_local, shared_width = nn.Conv2d(width, asked, 1), asked
            else:
                of_query.append(nn.Linear(asked, width))
        read[level] = shared_width
        units[level] = Attention(compat(shared_width), choose_normaliser(normaliser, level, levels), of_query, of_local)
    if prune_inert_query:
        prune_inert(units, queries)
    sources = dict.fromkeys(source for source in queries.values() if source is not None)
    return AttentionNet(
        trunk,
        {source: branch(source) for source in sources},
        queries,
        units,
        head([read[level] for level in levels if level not in gates], num_classes, head_dropout),
        gates,
        _divisors(levels, gates, stages, query, sources),
    )


def prune_inert(units: Mapping[str, Attention], queries: dict[str, str | None]) -> None:
    """Leaves out inert queries and what projects them; raises ValueError where there are none."""
    inert = [level for level, unit in units.items() if unit.query_is_inert]
    if not inert:
        raise ValueError(
            "model.prune_inert_query=true is only for networks with an inert query (compat=pc with "
            "normaliser=softmax): here the query acts, and leaving it out would change the network"
        )
    for level in inert:
        queries[level] = units[level].project = None


def _divisors(
    levels: Sequence[str], gates: Sequence[str], stages: Sequence[str], query: str, sources: Mapping[str, None]
) -> dict[str, int]:
    """What the authors' scripts divide by (author_spec section 4): the number of readers, also where an inert one is
    pruned, but 2 rather than 3 for the middle level of `main_AttLevel3_3global`, as committed."""
    divisors = dict.fromkeys(levels, 2)
    if query == "own":
        # attention, global branch and the trunk's next stage, which reads a gated level through its attention only
        divisors |= {level: 3 for level in levels if level != stages[-1] and level not in gates}
        if len(levels) == 3:
            divisors[levels[1]] = 2
    elif len(levels) > 1:
        divisors |= {f"g_{source}": len(levels) for source in sources}
    return divisors


def _check_levels(levels: Sequence[str], stages: Sequence[str]) -> tuple[str, ...]:
    wrong = not isinstance(levels, Sequence) or not levels or any(level not in stages for level in levels)
    if wrong or len(set(levels)) != len(levels):
        raise ValueError(f"model.levels={levels} must be a list of different levels from {', '.join(stages)}")
    if stages[-1] not in levels:
        raise ValueError(
            f"model.levels={list(levels)} must contain {stages[-1]}, the deepest level, from which the query is made"
        )
    return tuple(level for level in stages if level in levels)


def _check_gates(gates: Sequence[str], levels: Sequence[str]) -> tuple[str, ...]:
    allowed = levels[:-1]
    if not isinstance(gates, Sequence) or any(level not in allowed for level in gates):
        few = f"levels from {', '.join(allowed)} (all but the deepest)" if allowed else "empty: there is one level"
        raise ValueError(f"model.gates={gates} must be {few}")
    return tuple(level for level in levels if level in gates)


def choose_normaliser(normaliser: str | Mapping[str, str], level: str, levels: Sequence[str]) -> str:
    """The normaliser of one level, from one name for all or a name for each. Raises ValueError where a level has none."""
    if not isinstance(normaliser, Mapping):
        return normaliser
    if not set(normaliser) >= set(levels):
        raise ValueError(f"model.normaliser={dict(normaliser)} must name each of the levels {', '.join(levels)}")
    return normaliser[level]
