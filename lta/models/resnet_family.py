"""The ResNets of the authors' RESNET folder (author_spec section 8), two of their errors mended.

As committed, the attention unit of `Resnet-att1` is hard-wired to 8x8 where its features are 4x4, and the head of
`Resnet-att2` has 100 outputs whatever the data set: here maps have the features' size and heads `num_classes` outputs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from lta.layers.compatibility import Compatibility
from lta.layers.heads import ConcatHead
from lta.models.assemble import BuildHead, assemble
from lta.models.attention_net import AttentionNet
from lta.models.controls import PlainNet
from lta.models.initialise import initialise_network
from lta.models.resnet_trunk import RESNET_STYLE, ResNetTrunk, average_classifier, global_branch
from lta.models.vgg_trunk import Style

Init = Mapping[str, str] | None


def resnet(num_classes: int, depth: int = 164, init: Init = None, **settings: Any) -> PlainNet:
    """The plain network. 1,703,258 parameters at depth 164 for 10 classes. Its classifier starts without bias."""
    style = Style(**RESNET_STYLE | settings).check()
    trunk = ResNetTrunk(style, depth)
    network = initialise_network(PlainNet(trunk, average_classifier(trunk.channels["C"], num_classes, style)), init)
    nn.init.zeros_(network.classifiers[0].bias)  # FCinit of wide-residual-networks, which the authors' trunk files call
    return network


def resnet_attention(
    num_classes: int,
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: BuildHead = ConcatHead,
    normaliser: str | Mapping[str, str] = "softmax",
    bare_end: bool = False,
    prune_inert_query: bool = False,
    depth: int = 164,
    init: Init = None,
    **settings: Any,
) -> AttentionNet:
    """`Resnet-att2` with levels B, C; `Resnet-att1` with level C and `bare_end`, which has no dropout anywhere."""
    style = Style(**RESNET_STYLE | settings).check()
    trunk = ResNetTrunk(style, depth, bare_end)
    network = assemble(
        trunk,
        num_classes,
        lambda level: global_branch(trunk.channels[level], style, dropout=not bare_end),
        levels,
        compat,
        head,
        normaliser,
        prune_inert_query=prune_inert_query,
        head_dropout=0.0 if bare_end else 0.3 * style.dropout,
        query_dropout=0.5 * style.dropout,
    )
    return initialise_network(network, init)
