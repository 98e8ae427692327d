"""The VGG networks of the paper and their controls, built from trunk, attention units and head.

Every builder takes `num_classes` and `width` (scales all channels; 1 is the paper's), `dropout` (scales the authors'
rates of 0.3 to 0.5, which suit width 1) and `init` (see `initialise`).
"""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from lta import checks
from lta.layers.attention import Attention
from lta.layers.compatibility import Compatibility
from lta.layers.heads import ConcatHead, vector_block
from lta.models.attention_net import AttentionNet
from lta.models.controls import GAPNet, PlainNet
from lta.models.initialise import initialise
from lta.models.vgg import LEVELS, VGGTrunk, baseline_classifier, global_branch


def vgg(num_classes: int, width: float = 1.0, dropout: float = 1.0, init: Mapping[str, str] | None = None) -> PlainNet:
    """The paper's baseline `vgg_bn_drop`: early pooling, two linear layers. 14,991,946 parameters for 10 classes."""
    trunk = VGGTrunk(width, dropout, late=False)
    return _initialised(PlainNet(trunk, baseline_classifier(trunk.channels["C"], num_classes, dropout)), init)


def vgg_late(num_classes: int, width: float = 1.0, dropout: float = 1.0, init: Mapping[str, str] | None = None) -> PlainNet:
    """Control: trunk and global branch of the attention nets, the class read from g alone. 19,713,610 parameters."""
    trunk = VGGTrunk(width, dropout)
    channels = trunk.channels["C"]
    block = vector_block(channels, 0.5 * dropout)
    classifier = nn.Sequential(global_branch(channels, dropout), block, nn.Linear(channels, num_classes))
    return _initialised(PlainNet(trunk, classifier), init)


def vgg_gap(num_classes: int, width: float = 1.0, dropout: float = 1.0, init: Mapping[str, str] | None = None) -> GAPNet:
    """Control: the late-pooling trunk with global average pooling; shows class activation maps. 14,728,266 parameters."""
    trunk = VGGTrunk(width, dropout)
    return _initialised(GAPNet(trunk, trunk.channels["C"], num_classes), init)


def vgg_attention(
    num_classes: int,
    levels: Sequence[str],
    compat: Callable[[int], Compatibility],
    head: Callable[..., nn.Module] = ConcatHead,
    normaliser: str = "softmax",
    width: float = 1.0,
    dropout: float = 1.0,
    prune_inert_query: bool = False,
    init: Mapping[str, str] | None = None,
) -> AttentionNet:
    """att1, att2, att3 with one global feature (author_spec section 3): `levels` among A, B, C.

    `compat(channels)` and `head(channels, num_classes, dropout)` build the parts. `prune_inert_query` leaves out the
    global branch and the projections of g, which with a separable score under softmax act on nothing; raises
    ValueError where the query acts.
    """
    checks.flag("model.prune_inert_query", prune_inert_query)
    if (
        not isinstance(levels, Sequence)
        or not levels
        or any(level not in LEVELS for level in levels)
        or len(set(levels)) != len(levels)
    ):
        raise ValueError(f"model.levels={levels} must name different ones of {', '.join(LEVELS)}")
    if "C" not in levels:
        raise ValueError(
            f"model.levels={list(levels)} must have C, the deepest level, among them: the query is made from it"
        )
    trunk = VGGTrunk(width, dropout)
    units = {}
    for level in sorted(levels):
        channels, query = trunk.channels[level], trunk.channels["C"]
        project = None
        if channels != query and not prune_inert_query:
            project = nn.Sequential(*vector_block(query, 0.5 * dropout), nn.Linear(query, channels))
        units[level] = Attention(compat(channels), normaliser, project)
    if prune_inert_query and not all(unit.query_is_inert for unit in units.values()):
        raise ValueError(
            "model.prune_inert_query=true is only for networks whose query is inert (compat=pc with normaliser=softmax): "
            "here the query acts, and leaving it out would change the network"
        )
    branch = None if prune_inert_query else global_branch(trunk.channels["C"], dropout)
    classifier = head([trunk.channels[level] for level in units], num_classes, 0.5 * dropout)
    return _initialised(AttentionNet(trunk, branch, units, classifier), init)


def _initialised(network, init: Mapping[str, str] | None):
    if not isinstance(init or {}, Mapping):
        raise ValueError(f"model.init={init} must be given by its parts: model.init.scorer=..., model.init.batchnorm=...")
    initialise(network, **(init or {}))
    return network
