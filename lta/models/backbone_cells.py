"""Where the cells of a backbone's maps lie in the picture, found by showing a copy of it the pictures' own rows.

The copy takes averages: each convolution and each pool the mean of its window; what looks at no neighbours is left out.
Weighed by the squares of a trained convolution's weights, windows have the middle that it really reads around (the effective
receptive field, Luo et al. 2016): networks that pad on one side learn kernels that lean to the other.
Shown a picture whose pixels say in which row they are, a cell answers with the middle of what it reads. Layers pad as they
do, also those that pad more on one side and by the picture's size (`tf_` networks).
"""

import copy
from collections.abc import Callable
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from lta.protocols import Cells

LONG = 1536
"""Pixels: the middle of so high a picture lies beyond the reach of its borders."""

NARROW = 64
TOLERANCE = 1e-3
"""Of a pixel: what borders may still do to the cells in the middle."""


def is_made_of_patches(model: nn.Module) -> bool:
    """Whether its cells are the patches that it cuts pictures into, or joins of whole ones: a ViT, Swin."""
    projection = getattr(getattr(model, "patch_embed", None), "proj", None)
    return isinstance(projection, nn.Conv2d) and projection.kernel_size == projection.stride


def place_patches(stride: float) -> Cells:
    """Of patches of `stride` pixels side by side, the first in the picture's corner."""
    return Cells(stride, (stride - 1) / 2)


@torch.no_grad()
def measure_cells(
    model: nn.Module,
    features: Callable[[nn.Module, Tensor], dict[str, Tensor]],
    side: int,
    step: int = 32,
    weighed: bool = False,
) -> dict[str, Cells]:
    """By level, along a side of `side` pixels. `features(copy, images)` gives the levels. `weighed`: by the squares of the
    weights, alike along rows and columns; else by the windows alone. A picture that is longer by a
    multiple of `step` is padded in the same way. Raises ValueError where the cells don't lie evenly.
    """
    averaging = _make_averaging(model, weighed)
    high = side + step * ceil(max(0, LONG - side) / step)
    narrow = side % step + NARROW * ceil(step / NARROW)
    rows = torch.arange(high, dtype=torch.float64).view(1, 1, -1, 1).expand(1, 3, high, narrow)
    images = torch.cat([rows, torch.ones_like(rows)])  # of what lies outside there is none in the mean
    try:
        levels = features(averaging, images)
    except (AssertionError, RuntimeError) as error:  # of parts that take no other sizes
        raise ValueError(f"where the cells of {type(model).__name__} lie can't be measured: {_first_line(error)}") from error
    return {level: _read_cells(level, feature) for level, feature in levels.items()}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _read_cells(level: str, feature: Tensor) -> Cells:
    rows, ones = feature[:, :, :, feature.shape[3] // 2].mean(1)
    middle = len(rows) // 2
    near = slice(middle - 2, middle + 3)
    places = rows[near] / ones[near]
    stride = float(places[-1] - places[0]) / 4
    offset = float(places[2]) - stride * middle
    even = torch.arange(middle - 2, middle + 3, dtype=places.dtype) * stride + offset
    if not bool(((places - even).abs() < TOLERANCE).all()):  # not so of values that are no numbers
        raise ValueError(f"where the cells of the backbone's level {level} lie can't be measured")
    return Cells(round(stride, 3), round(offset, 3) + 0.0)  # no -0.0


class _WindowMean(nn.Module):
    """A convolution that takes means. All channels are alike, so that one is computed for all of them."""

    def __init__(self, layer: nn.Conv2d, weighed: bool):
        super().__init__()
        settings: Any = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation, "bias": False}
        size: Any = layer.kernel_size
        self.mean = _plain_kind(layer)(1, 1, size, **settings).to("cpu", torch.float64)
        nn.init.constant_(self.mean.weight, 1 / self.mean.weight.numel())
        if weighed and size[0] == size[1]:
            squares = layer.weight.detach().to("cpu", torch.float64).square().sum((0, 1))
            if squares.sum() > 0:
                self.mean.weight.copy_((squares + squares.T) / (2 * squares.sum()))
        self.channels = layer.out_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.mean(x[:, :1]).expand(-1, self.channels, -1, -1).clone()  # it may be added to in place


class _ChannelMean(nn.Module):
    """A linear layer that does."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.channels = layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :1].expand(*x.shape[:-1], self.channels)


class _First(nn.Module):
    """What comes in, whatever else does."""

    def forward(self, x: Tensor, *others: object, **more: object) -> Tensor:
        return x


def _plain_kind(layer: nn.Conv2d) -> Any:
    from timm.layers.conv2d_same import Conv2dSame

    return Conv2dSame if "Same" in type(layer).__name__ else nn.Conv2d


def _make_averaging(model: nn.Module, weighed: bool) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # layers draw weights when they are made
        return _replace(copy.deepcopy(model).to("cpu", torch.float64), weighed).eval()


def _replace(module: nn.Module, weighed: bool) -> nn.Module:
    """A layer by what takes averages, one that is made of others by itself with theirs replaced."""
    name = type(module).__name__
    if isinstance(module, nn.Conv2d):
        return _WindowMean(module, weighed)
    if isinstance(module, nn.Linear):
        return _ChannelMean(module)
    if isinstance(module, nn.MaxPool2d):
        return _average_pool(module)
    kinds = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.dropout._DropoutNd)
    looks_at_all = any(
        word in name for word in ("SqueezeExcite", "SEModule", "EcaModule", "GlobalResponseNorm", "ChannelAttn")
    )
    from_libraries = ("torch.nn.modules.activation", "timm.layers.activations", "timm.layers.drop")
    if isinstance(module, kinds) or looks_at_all or type(module).__module__ in from_libraries:
        return _First()
    if ("Norm" in name and "2d" in name) or name == "LayerScale":
        return _First()
    for key, child in module.named_children():
        setattr(module, key, _replace(child, weighed))
    for weight in module.parameters(recurse=False):  # gains
        nn.init.ones_(weight)
    return module


def _average_pool(pool: nn.MaxPool2d) -> nn.Module:
    from timm.layers.pool2d_same import AvgPool2dSame

    if "Same" in type(pool).__name__:
        return AvgPool2dSame(pool.kernel_size, pool.stride)  # pyright: ignore[reportArgumentType] one side stands for two
    assert pool.dilation in (1, (1, 1))
    return nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, count_include_pad=False)
