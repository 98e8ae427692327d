"""The compact trunk of "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (Jordan 2024, arXiv 2404.00498), airbench94.

A whitened 2x2 convolution and three groups of two 3x3 convolutions without bias, each followed by a batch norm without a
trained gain and a GELU: 1.97 M parameters at width 1, 0.24 GFLOP forward for a 32x32 picture. The same paper's larger ones,
airbench95 and airbench96 (section 4), have wider groups, and the latter a third convolution a group, with a residual
connection: `widths`, `depth` and `residual` of `AirStyle`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from lta import checks
from lta.layers.global_max import GlobalMax
from lta.models.bare import BareConv2d
from lta.models.conv3x3 import Conv3x3
from lta.models.residual import Residual
from lta.models.trunk import StagedTrunk
from lta.models.whitening import WhitenedConv
from lta.models.widths import scale_channels

LEVELS = ("A", "B", "C")
ACTIVATIONS = {"gelu": nn.GELU, "silu": nn.SiLU}
TAPS = ("late", "early")


class AirStyle(NamedTuple):
    """What all parts share. `widths`: the channels of the three groups, which `width` scales. `depth`: the convolutions of a
    group; with `residual` those behind the pool are a block that its input is added to, before the block's last activation.
    airbench95 has widths of 128, 384 and 384, airbench96 of 128, 512 and 512, with depth 3 and `residual`.

    Each of the others is a trick of the source that can be turned off: `whiten` (else the first convolution is trained),
    `bn_gain` (the source has none), `bn_momentum` in torch's sense, the share of the new statistics (the source's 0.6 is
    1 - 0.4).
    """

    width: float = 1.0
    widths: Sequence[int] = (64, 256, 256)
    depth: int = 2
    residual: bool = False
    activation: str = "gelu"
    whiten: bool = True
    bn_gain: bool = False
    bn_momentum: float = 0.4
    bn_eps: float = 1e-12

    def check(self) -> "AirStyle":
        """Raises ValueError for a value that can't be."""
        checks.require_number("model.width", self.width, 0, 64, without_low=True)
        if not isinstance(self.widths, Sequence) or isinstance(self.widths, str) or len(self.widths) != len(LEVELS):
            raise ValueError(f"model.widths={self.widths} must be three numbers of channels, for example [64, 256, 256]")
        for level, base in zip(LEVELS, self.widths, strict=True):
            checks.require_whole_number(f"model.widths: of group {level}", base, least=1)
        checks.require_whole_number("model.depth", self.depth, least=2)
        checks.require_flag("model.residual", self.residual)
        checks.require_choice("model.activation", self.activation, ACTIVATIONS)
        checks.require_flag("model.whiten", self.whiten)
        checks.require_flag("model.bn_gain", self.bn_gain)
        checks.require_number("model.bn_momentum", self.bn_momentum, 0, 1, without_low=True)
        checks.require_number("model.bn_eps", self.bn_eps, 0, 1, without_low=True)
        return self

    def channels(self) -> dict[str, int]:
        """Those of the groups, by level; raises ValueError where nothing would be left."""
        return {level: scale_channels(base, self.width) for level, base in zip(LEVELS, self.widths, strict=True)}

    def activate(self) -> nn.Module:
        return ACTIVATIONS[self.activation]()

    def norm(self, channels: int) -> nn.BatchNorm2d:
        norm = nn.BatchNorm2d(channels, eps=self.bn_eps, momentum=self.bn_momentum)
        norm.weight.requires_grad_(self.bn_gain)
        return norm

    def later(self, channels: int) -> list[nn.Module]:
        """A group's convolutions behind the pool."""
        layers: list[nn.Module] = []
        for _ in range(self.depth - 1):
            layers += [Conv3x3(channels, channels), self.norm(channels), self.activate()]
        return [Residual(*layers[:-1]), layers[-1]] if self.residual else layers


SMALLEST = 9
"""Pixels a side of which something is left after the whitened convolution and three pools."""


class AirTrunk(StagedTrunk):
    """`taps` says where local features are taken, which for 32x32 pictures makes maps of

    - "late": 15x15, 7x7 and 3x3: after each group. The source's network, layer by layer.
    - "early": 31x31, 15x15 and 7x7: before the pool of the first two groups, batch norm and GELU before it instead of
      after it; the third group has no pool. Costs a fifth more.
    """

    def __init__(self, style: AirStyle, taps: str = "late"):
        super().__init__()
        checks.require_choice("model.taps", taps, TAPS)
        first = WhitenedConv() if style.whiten else BareConv2d(3, 24, 2)
        self.channels = style.channels()
        layers: list[nn.Module] = [first, style.activate()]
        inputs = 24
        for level, outputs in self.channels.items():
            layers.append(Conv3x3(inputs, outputs))
            if taps == "late":
                layers.append(nn.MaxPool2d(2))
            layers += [style.norm(outputs), style.activate()]
            if taps == "early" and level != "C":
                self.stages[level], layers = nn.Sequential(*layers), [nn.MaxPool2d(2)]
            layers += style.later(outputs)
            if taps == "late" or level == "C":
                self.stages[level], layers = nn.Sequential(*layers), []
            inputs = outputs
        self.stages["A"].register_forward_pre_hook(_check_size)  # networks with attention go through the stages themselves


def global_branch(channels: int) -> nn.Sequential:
    """From level C to g, the raw output of a linear layer: what the source's classifier reads, and a linear layer."""
    return nn.Sequential(GlobalMax(), nn.Flatten(), nn.Linear(channels, channels))


def _check_size(stage: nn.Module, inputs: tuple[Tensor]) -> None:
    height, width = inputs[0].shape[2:]
    if min(height, width) < SMALLEST:
        raise ValueError(f"the compact trunk needs pictures of {SMALLEST} pixels a side or more; these are {height}x{width}")
