"""Pre-activation bottleneck ResNet (He et al. 2016b), as in the authors' RESNET folder (author_spec section 8)."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.dropout import Layers
from lta.layers.global_max import GlobalMax
from lta.models.bare import BareConv2d
from lta.models.cells import place_cells
from lta.models.trunk import StagedTrunk
from lta.models.vgg_trunk import DROPOUT_KINDS, Style
from lta.protocols import Cells

WIDTHS = {"A": 64, "B": 128, "C": 256}
"""Output channels of the three stages, at strides 1, 2 and 4."""
RESNET_STYLE: dict[str, Any] = {"bn_eps": 1e-5}


class Bottleneck(nn.Module):
    """BN-ReLU-conv1x1, BN-ReLU-conv3x3, BN-ReLU-conv1x1 added to the input, all without bias.

    Where channels or stride change, the first BN-ReLU is common to both ways and the short one is a 1x1 convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, bn_eps: float):
        super().__init__()
        middle = max(outputs // 4, 1)
        self.preactivate = nn.Sequential(nn.BatchNorm2d(inputs, eps=bn_eps), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, middle, 1, stride, bias=False),
            nn.BatchNorm2d(middle, eps=bn_eps),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, padding=1, bias=False),
            nn.BatchNorm2d(middle, eps=bn_eps),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, outputs, 1, bias=False),
        )
        self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """The block's layers and, where shapes change, the shortcut read the activated input."""
        activated = self.preactivate(x)
        return self.residual(activated) + (x if self.shortcut is None else self.shortcut(activated))

    def place_cells(self, cells: Cells) -> Cells:
        """As `lta.models.cells.place_cells`: both ways read around the same pixels."""
        return place_cells(self.residual, cells)


class ResNetTrunk(StagedTrunk):
    """`depth` = 9 n + 2, with n units in each of three stages; levels A, B, C are the stages' raw sums, before any BN.

    `bare_end` is the trunk of `Resnet-att1`: the last unit replaced by two bare 3x3 convolutions, the second of stride 2,
    which leave level C at 4x4.
    """

    def __init__(self, style: Style, depth: int = 164, bare_end: bool = False):
        super().__init__()
        checks.require_whole_number("model.depth", depth, least=11)
        checks.require_flag("model.bare_end", bare_end)
        if (depth - 2) % 9:
            raise ValueError(f"model.depth={depth} must be 9 n + 2: 11, 20, 29, ... 164, ... 1001")
        units = (depth - 2) // 9
        if bare_end and units < 2:
            raise ValueError(f"model.depth={depth} must be at least 20: the last unit of stage 3 is replaced here")
        inputs = style.channels(16)
        layers: list[nn.Module] = [nn.Conv2d(3, inputs, 3, padding=1, bias=False)]
        for level, base in WIDTHS.items():
            outputs = self.channels[level] = style.channels(base)
            count = units - 1 if bare_end and level == "C" else units
            for number in range(count):
                stride = 2 if number == 0 and level != "A" else 1
                layers.append(Bottleneck(inputs, outputs, stride, style.bn_eps))
                inputs = outputs
            if bare_end and level == "C":
                layers += [
                    BareConv2d(inputs, inputs, 3, padding=1, bias=False),
                    BareConv2d(inputs, inputs, 3, 2, padding=1, bias=False),
                ]
            self.stages[level], layers = nn.Sequential(*layers), []


def average_classifier(channels: int, num_classes: int, style: Style) -> nn.Sequential:
    """BN -> ReLU -> average over all positions -> linear: the end of the plain network."""
    return nn.Sequential(
        nn.BatchNorm2d(channels, eps=style.bn_eps),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, num_classes),
    )


def global_branch(channels: int, style: Style, dropout: bool) -> Layers:
    """From level C to g: BN -> ReLU -> pool -> conv3x3 -> BN -> ReLU -> pool to one position -> linear.

    With `dropout` (`Resnet-att2`) 0.4 after the convolution's ReLU, whose BN has eps 1e-3, and 0.5 before the linear layer.
    """
    eps = 1e-3 if dropout else style.bn_eps
    drop = [DROPOUT_KINDS[style.dropout_kind](0.4 * style.dropout)] if dropout else []
    return Layers(
        nn.BatchNorm2d(channels, eps=style.bn_eps),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels, eps=eps),
        nn.ReLU(),
        *drop,
        GlobalMax(),
        nn.Flatten(),
        *([style.vector_dropout(0.5)] if dropout else []),
        nn.Linear(channels, channels),
    )
