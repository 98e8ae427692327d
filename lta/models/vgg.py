"""VGG trunks of the paper: they return features and know nothing of attention (author_spec section 1)."""

from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from lta import checks

LEVELS = ("A", "B", "C")
"""Where local features are tapped: after conv 7 (stride 1), conv 10 (stride 2), conv 13 (stride 4)."""

WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
DROPOUT = (0.3, 0.0, 0.4, 0.0, 0.4, 0.4, 0.0, 0.4, 0.4, 0.0, 0.4, 0.4, 0.0)
"""Dropout after each of the 13 convolutions, element-wise, as in the authors' code."""


def scaled(channels: int, width: float) -> int:
    """`channels` at relative `width`; raises ValueError where nothing would be left."""
    checks.number("model.width", width, 0, 64, without_low=True)
    if round(channels * width) < 1:
        raise ValueError(f"model.width={width} leaves {channels * width:g} of {channels} channels; it must be at least 1/64")
    return round(channels * width)


def conv_block(inputs: int, outputs: int, dropout: float, bn_eps: float = 1e-3) -> list[nn.Module]:
    """conv3x3 with bias -> BN (Torch7's eps 1e-3) -> ReLU -> dropout."""
    block = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs, eps=bn_eps), nn.ReLU(inplace=True)]
    return [*block, nn.Dropout(dropout)] if dropout else block


class VGGTrunk(nn.Module):
    """The 13 convolutions. `late` pooling (the attention nets): after conv 7 and 10 only, so that level A keeps the
    picture's resolution; early (the baseline): after conv 2, 4, 7, 10. The pool after conv 13 is left to what follows.

    `forward` returns the features of all levels, `(batch, channels[level], height, width)`, before any pooling.
    """

    def __init__(self, width: float = 1.0, dropout: float = 1.0, late: bool = True, bn_eps: float = 1e-3):
        super().__init__()
        checks.number("model.dropout", dropout, 0, 2)  # the largest of the authors' rates is 0.5
        pools = (7, 10) if late else (2, 4, 7, 10)
        ends = {7: "A", 10: "B", 13: "C"}
        self.stages = nn.ModuleDict()
        inputs, layers = 3, []
        for number, (base, rate) in enumerate(zip(WIDTHS, DROPOUT, strict=True), start=1):
            outputs = scaled(base, width)
            layers += conv_block(inputs, outputs, rate * dropout, bn_eps)
            if number in ends:
                self.stages[ends[number]], layers = nn.Sequential(*layers), []
            if number in pools:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            inputs = outputs
        self.channels = {"A": scaled(256, width), "B": scaled(512, width), "C": scaled(512, width)}

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        feats, x = {}, images
        for level, stage in self.stages.items():
            x = feats[level] = stage(x)
        return feats


def global_branch(channels: int, dropout: float, bn_eps: float = 1e-3) -> nn.Sequential:
    """G512(8) of author_spec section 1: level C -> g, the raw output of a linear layer.

    The last pool is adaptive, so that other picture sizes work; at 32x32 it is the authors' 2x2 pool.
    """
    return nn.Sequential(
        nn.MaxPool2d(2, ceil_mode=True), *conv_block(channels, channels, 0.4 * dropout, bn_eps),
        nn.MaxPool2d(2, ceil_mode=True), *conv_block(channels, channels, 0.4 * dropout, bn_eps),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.5 * dropout), nn.Linear(channels, channels),
    )  # fmt: skip


def baseline_classifier(channels: int, num_classes: int, dropout: float) -> nn.Sequential:
    """What follows conv 13 in `vgg_bn_drop`, the paper's baseline."""
    return nn.Sequential(OrderedDict(
        pool=nn.AdaptiveMaxPool2d(1), flatten=nn.Flatten(), drop=nn.Dropout(0.5 * dropout),
        fc1=nn.Linear(channels, channels), bn=nn.BatchNorm1d(channels), relu=nn.ReLU(), drop2=nn.Dropout(0.5 * dropout),
        fc2=nn.Linear(channels, num_classes),
    ))  # fmt: skip
