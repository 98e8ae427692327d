"""Networks on a pretrained backbone of timm: attention on any of its levels, and the control without.

`backbone`: settings of `BackboneTrunk`. Weights of attention and head are drawn, those of the trunk are left as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from lta import checks
from lta.layers.attention import Attention
from lta.layers.compatibility import Compatibility
from lta.layers.heads import ConcatHead, vector_block
from lta.models.assemble import BuildHead, choose_normaliser, prune_inert
from lta.models.attention_net import HEAD, AttentionNet
from lta.models.backbone_trunk import LEVELS, BackboneTrunk
from lta.models.controls import GAPNet
from lta.models.initialise import initialise_network

QUERIES = (HEAD, "deepest")

Init = Mapping[str, str] | None


def backbone_attention(
    num_classes: int,
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: BuildHead = ConcatHead,
    normaliser: str | Mapping[str, str] = "softmax",
    query: str = HEAD,
    gates: Sequence[str] = (),
    prune_inert_query: bool = False,
    dropout: float = 0.0,
    backbone: Mapping[str, Any] | None = None,
    init: Init = None,
) -> AttentionNet:
    """Attention on `levels` among A, B, C, D. `query`: the vector that the trunk's own class layer reads ("head"), or the
    mean of the deepest of `levels` ("deepest"). It is projected to each level's channels (BN, ReLU, dropout, linear).
    `dropout`: the rate there and in the head. Raises ValueError for `gates`: what goes on inside the trunk is not changed.
    """
    checks.require_number("model.dropout", dropout, 0, 1)
    checks.require_choice("model.query", query, QUERIES)
    checks.require_flag("model.prune_inert_query", prune_inert_query)
    for part, given in (("compat", compat), ("head", head)):
        if not callable(given):
            raise ValueError(f"model.{part}={given} is not how it is chosen; give {part}={given}")
    if gates:
        raise ValueError(f"model.gates={gates}: a backbone has no stages whose features could be gated; leave it empty")
    levels = _check_levels(levels)
    trunk = build_trunk(backbone)
    source = HEAD if query == HEAD else levels[-1]
    asked = trunk.query_channels if query == HEAD else trunk.channels[source]
    queries: dict[str, str | None] = dict.fromkeys(levels, source)
    units = {}
    for level in levels:
        width = trunk.channels[level]
        project = vector_block(asked, dropout)
        project.append(nn.Linear(asked, width))
        units[level] = Attention(compat(width), choose_normaliser(normaliser, level, levels), project)
    if prune_inert_query:
        prune_inert(units, queries)
    needed = dict.fromkeys(source for source in queries.values() if source is not None)
    branches = {source: nn.Identity() if source == HEAD else _make_average() for source in needed}
    widths = [trunk.channels[level] for level in levels]
    network = AttentionNet(trunk, branches, queries, units, head(widths, num_classes, dropout))
    for part in (network.branches, network.attention, network.head):
        initialise_network(part, init)  # pyright: ignore[reportArgumentType] parts by name are modules
    return network


def backbone_gap(num_classes: int, backbone: Mapping[str, Any] | None = None, level: str = "D", init: Init = None) -> GAPNet:
    """Control: global average pooling of one level and a linear classifier; shows class activation maps."""
    checks.require_choice("model.level", level, LEVELS)
    trunk = build_trunk(backbone)
    network = GAPNet(trunk, trunk.channels[level], num_classes, level=level)
    initialise_network(network.classifier, init)
    return network


def build_trunk(backbone: Mapping[str, Any] | None) -> BackboneTrunk:
    """Raises ValueError where `backbone` is no settings of a BackboneTrunk."""
    if not isinstance(backbone or {}, Mapping):
        raise ValueError(f"model.backbone={backbone} must be given by its parts: model.backbone.name={backbone}")
    return BackboneTrunk(**(backbone or {}))


def _check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    wrong = not isinstance(levels, Sequence) or not levels or any(level not in LEVELS for level in levels)
    if wrong or len(set(levels)) != len(levels):
        raise ValueError(f"model.levels={levels} must be a list of different levels from {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in levels)


def _make_average() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
