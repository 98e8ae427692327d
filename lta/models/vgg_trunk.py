"""VGG trunks of the paper: they return features and know nothing of attention (author_spec section 1)."""

from collections import OrderedDict
from typing import NamedTuple

from torch import nn

from lta import checks
from lta.layers.dropout import Layers
from lta.layers.global_max import GlobalMax
from lta.models.trunk import StagedTrunk
from lta.models.widths import scale_channels

WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
DROPOUT = (0.3, 0.0, 0.4, 0.0, 0.4, 0.4, 0.0, 0.4, 0.4, 0.0, 0.4, 0.4, 0.0)
"""Dropout after each of the 13 convolutions."""
LEVEL_ENDS = {7: "A", 10: "B", 13: "C"}
"""Where local features are tapped: after conv 7 (stride 1), conv 10 (stride 2), conv 13 (stride 4)."""
POOLS = ("cifar", "cub")
DROPOUT_KINDS = {"element": nn.Dropout, "channel": nn.Dropout2d}


class Style(NamedTuple):
    """What all parts of a network share. `width` scales the channels (1 is the paper's), `dropout` the authors' rates.

    `dropout_kind` on feature maps: "element" (nn.Dropout, as in the authors' code) or "channel" (whole channels).
    `bn_eps` is that of the convolutions' batch norms, Torch code 1e-3; vectors have torch's default 1e-5 as there.
    """

    width: float = 1.0
    dropout: float = 1.0
    dropout_kind: str = "element"
    bn_eps: float = 1e-3

    def check(self) -> "Style":
        """Raises ValueError for a value that can't be."""
        checks.require_number("model.width", self.width, 0, 64, without_low=True)
        checks.require_number("model.dropout", self.dropout, 0, 2)  # the largest of the authors' rates is 0.5
        checks.require_choice("model.dropout_kind", self.dropout_kind, DROPOUT_KINDS)
        checks.require_number("model.bn_eps", self.bn_eps, 0, 1, without_low=True)
        return self

    def channels(self, base: int) -> int:
        """`base` channels at this width; raises ValueError where nothing would be left."""
        return scale_channels(base, self.width)

    def conv_block(self, inputs: int, outputs: int, dropout: float = 0.0) -> list[nn.Module]:
        """conv3x3 with bias -> BN -> ReLU -> dropout; `dropout` is the authors' rate."""
        block = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs, eps=self.bn_eps), nn.ReLU(inplace=True)]
        return [*block, DROPOUT_KINDS[self.dropout_kind](dropout * self.dropout)] if dropout * self.dropout else block

    def vector_dropout(self, rate: float) -> nn.Dropout:
        return nn.Dropout(rate * self.dropout)


class VGGTrunk(StagedTrunk):
    """The 13 convolutions. `late` pooling (the attention nets): after conv 7 and 10 only, so that level A keeps the
    picture's resolution; early (the baseline): after conv 2, 4, 7, 10. The pool after conv 13 is left to what follows.

    `pools` "cub" is for 80x80 (author_spec section 7). Late: 5x5 after conv 7, so that level B is 16x16 and level C 8x8
    as on CIFAR; level A is that map enlarged to 32x32 (nearest), which is what fits the authors' attention unit: their
    committed file has a pool of 2.5 there and can't have run. Early: one more pool after conv 12. Features are those before
    any pool that follows.
    """

    def __init__(self, style: Style, late: bool = True, pools: str = "cifar"):
        super().__init__()
        checks.require_choice("model.pools", pools, POOLS)
        enlarged = late and pools == "cub"
        pooled = (7, 10) if late else (2, 4, 7, 10) if pools == "cifar" else (2, 4, 7, 10, 12)
        inputs, layers = 3, []
        for number, (base, rate) in enumerate(zip(WIDTHS, DROPOUT, strict=True), start=1):
            outputs = style.channels(base)
            layers += style.conv_block(inputs, outputs, rate)
            if number == 7 and enlarged:
                layers += [nn.MaxPool2d(5, ceil_mode=True), nn.Upsample(scale_factor=2, mode="nearest")]
            if number in LEVEL_ENDS:
                self.stages[LEVEL_ENDS[number]], layers = Layers(*layers), []
            if number in pooled:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            inputs = outputs
        self.channels = {level: style.channels(WIDTHS[number - 1]) for number, level in LEVEL_ENDS.items()}


BRANCHES = {"A": (4, 3), "B": (4, 2), "C": (2, 2)}
"""G256(32), G512(16), G512(8) of author_spec section 1: size of the first pool, number of convolutions."""


def global_branch(level: str, channels: int, style: Style) -> Layers:
    """From the features of a level to g, the raw output of a linear layer.

    The last pool is over all positions, so that other picture sizes work; at 32x32 it is the authors' 2x2 pool.
    """
    first_pool, convolutions = BRANCHES[level]
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [nn.MaxPool2d(2 if number else first_pool, ceil_mode=True), *style.conv_block(channels, channels, 0.4)]
    return Layers(*layers, GlobalMax(), nn.Flatten(), style.vector_dropout(0.5), nn.Linear(channels, channels))


def baseline_classifier(channels: int, num_classes: int, style: Style) -> Layers:
    """What follows conv 13 in `vgg_bn_drop`, the paper's baseline."""
    return Layers(
        OrderedDict(
            pool=GlobalMax(),
            flatten=nn.Flatten(),
            drop=style.vector_dropout(0.5),
            fc1=nn.Linear(channels, channels),
            bn=nn.BatchNorm1d(channels),
            relu=nn.ReLU(),
            drop2=style.vector_dropout(0.5),
            fc2=nn.Linear(channels, num_classes),
        )
    )
