"""Networks on the compact trunk of lta.models.air_trunk: the source's own, its control, and attention on any of its levels.

Every builder takes `num_classes`, the fields of `AirStyle` (`width`, `widths`, `depth`, `residual`, `activation`, `whiten`,
`bn_gain`, `bn_momentum`, `bn_eps`), `taps` (see `AirTrunk`), `init` (see `initialise`; `conv` "dirac" is the source's) and
`output_scale`, which multiplies logits (1/9 there).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from lta import checks
from lta.layers.compatibility import Compatibility
from lta.layers.global_max import GlobalMax
from lta.layers.heads import ConcatHead
from lta.layers.scaled_linear import ScaledLinear
from lta.models.air_trunk import AirStyle, AirTrunk, global_branch
from lta.models.assemble import BuildHead, assemble
from lta.models.attention_net import AttentionNet
from lta.models.controls import GAPNet, PlainNet
from lta.models.initialise import initialise_network
from lta.protocols import Head

Init = Mapping[str, str] | None
DIRAC = {"conv": "dirac"}


def air(num_classes: int, taps: str = "late", output_scale: float = 1 / 9, init: Init = None, **style: Any) -> PlainNet:
    """The source's network: the last features' maximum over all positions, a linear layer without bias. 1,971,352 trained
    parameters for 10 classes, beside 1,152 gains that stay 1 and 288 measured weights."""
    trunk = AirTrunk(AirStyle(**style).check(), taps)
    linear = ScaledLinear(trunk.channels["C"], num_classes, _check_scale(output_scale), bias=False)
    network = PlainNet(trunk, nn.Sequential(GlobalMax(), nn.Flatten(), linear))
    return initialise_network(network, DIRAC | dict(init or {}))


def air_gap(num_classes: int, taps: str = "late", output_scale: float = 1 / 9, init: Init = None, **style: Any) -> GAPNet:
    """Control: global average pooling instead of the maximum; shows class activation maps."""
    trunk = AirTrunk(AirStyle(**style).check(), taps)
    network = GAPNet(trunk, trunk.channels["C"], num_classes, _check_scale(output_scale))
    return initialise_network(network, DIRAC | dict(init or {}))


def air_attention(
    num_classes: int,
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: BuildHead = ConcatHead,
    normaliser: str | Mapping[str, str] = "softmax",
    query: str = "shared",
    project: str = "query",
    prune_inert_query: bool = False,
    dropout: float = 0.0,
    taps: str = "late",
    output_scale: float = 1 / 9,
    init: Init = None,
    **style: Any,
) -> AttentionNet:
    """Attention on `levels` among A, B, C; see `assemble`. `dropout`: the rate in head and projection of the query."""
    checks.require_number("model.dropout", dropout, 0, 1)
    trunk = AirTrunk(AirStyle(**style).check(), taps)
    network = assemble(
        trunk,
        num_classes,
        lambda level: global_branch(trunk.channels[level]),
        levels,
        compat,
        partial(_build_scaled_head, head, _check_scale(output_scale)) if callable(head) else head,
        normaliser,
        query,
        project,
        prune_inert_query=prune_inert_query,
        head_dropout=dropout,
        query_dropout=dropout,
    )
    return initialise_network(network, DIRAC | dict(init or {}))


def _build_scaled_head(
    head: BuildHead,
    scale: float,
    channels: Sequence[int],
    num_classes: int,
    dropout: float,
) -> Head:
    """`head(...)`, its linear layers scaled."""
    built = head(channels, num_classes, dropout)
    for name, module in list(built.named_modules()):
        if type(module) is nn.Linear:
            built.set_submodule(name, ScaledLinear.from_linear(module, scale))
    return built


def _check_scale(output_scale: float) -> float:
    checks.require_number("model.output_scale", output_scale, 0, 100, without_low=True)
    return output_scale
