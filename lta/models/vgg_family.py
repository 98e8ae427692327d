"""The VGG networks of the paper and their controls, built from trunk, attention units and head.

Every builder takes `num_classes`, the fields of `Style` (`width`, `dropout`, `dropout_kind`, `bn_eps`), `pools` (see
`VGGTrunk`) and `init` (see `initialise`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from lta.layers.compatibility import Compatibility
from lta.layers.heads import ConcatHead, vector_block
from lta.models.assemble import BuildHead, assemble
from lta.models.attention_net import AttentionNet
from lta.models.controls import GAPNet, PlainNet
from lta.models.initialise import initialise_network
from lta.models.vgg_trunk import Style, VGGTrunk, baseline_classifier, global_branch

Init = Mapping[str, str] | None


def vgg(num_classes: int, pools: str = "cifar", init: Init = None, **settings: Any) -> PlainNet:
    """The paper's baseline `vgg_bn_drop`: early pooling, two linear layers. 14,991,946 parameters for 10 classes."""
    style = Style(**settings).check()
    trunk = VGGTrunk(style, late=False, pools=pools)
    return initialise_network(PlainNet(trunk, baseline_classifier(trunk.channels["C"], num_classes, style)), init)


def vgg_late(num_classes: int, pools: str = "cifar", init: Init = None, **settings: Any) -> PlainNet:
    """Control: trunk and global branch of the attention nets, the class read from g alone. 19,713,610 parameters."""
    style = Style(**settings).check()
    trunk = VGGTrunk(style, pools=pools)
    channels = trunk.channels["C"]
    block = vector_block(channels, 0.5 * style.dropout)
    classifier = nn.Sequential(global_branch("C", channels, style), block, nn.Linear(channels, num_classes))
    return initialise_network(PlainNet(trunk, classifier), init)


def vgg_gap(num_classes: int, pools: str = "cifar", init: Init = None, **settings: Any) -> GAPNet:
    """Control: the late-pooling trunk with global average pooling; shows class activation maps. 14,728,266 parameters."""
    trunk = VGGTrunk(Style(**settings).check(), pools=pools)
    return initialise_network(GAPNet(trunk, trunk.channels["C"], num_classes), init)


def vgg_attention(
    num_classes: int,
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: BuildHead = ConcatHead,
    normaliser: str | Mapping[str, str] = "softmax",
    query: str = "shared",
    project: str = "query",
    gates: Sequence[str] = (),
    prune_inert_query: bool = False,
    pools: str = "cifar",
    init: Init = None,
    **settings: Any,
) -> AttentionNet:
    """Every attention network of author_spec section 3, as its options say (see `assemble`): `levels` among A, B, C.

    `compat(channels)` and `head(channels, num_classes, dropout)` build the parts.
    """
    style = Style(**settings).check()
    trunk = VGGTrunk(style, pools=pools)
    network = assemble(
        trunk,
        num_classes,
        lambda level: global_branch(level, trunk.channels[level], style),
        levels,
        compat,
        head,
        normaliser,
        query,
        project,
        gates,
        prune_inert_query,
        head_dropout=0.5 * style.dropout,
        query_dropout=0.5 * style.dropout,
    )
    return initialise_network(network, init)
