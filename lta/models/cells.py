"""Where in the picture the cells of a map lie, read off the layers that lead there."""

from collections.abc import Mapping, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from lta.protocols import Cells, Trunk

PIXELS = Cells(1.0, 0.0)
"""Those of the picture itself."""

POINTWISE = (_BatchNorm, _DropoutNd, nn.ReLU, nn.GELU, nn.SiLU, nn.Identity)


def find_trunk_cells(trunk: Trunk, size: tuple[int, int]) -> Mapping[str, Cells]:
    """By level, in pictures of `size` (height, width): a trunk that has `cells_in` pads by their size."""
    cells_in = getattr(trunk, "cells_in", None)
    return trunk.cells if cells_in is None else cells_in(size)


def place_cells(layer: nn.Module, cells: Cells) -> Cells:
    """The cells that come out of `layer` where `cells` go in.

    A window of k positions, d apart, reads around its middle: d (k - 1) / 2 positions behind its first, which lies as many
    before the first cell as are padded. A layer that is made otherwise says it by a method `place_cells(cells)` of its own;
    raises ValueError for others.
    """
    if (own := getattr(layer, "place_cells", None)) is not None:
        return own(cells)
    if isinstance(layer, nn.Sequential):
        for part in layer:
            cells = place_cells(part, cells)
        return cells
    if isinstance(layer, POINTWISE):
        return cells
    if isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str):
        return place_windows(cells, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if isinstance(layer, nn.MaxPool2d):
        return place_windows(cells, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if isinstance(layer, nn.AvgPool2d):
        return place_windows(cells, layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, nn.Upsample) and isinstance(layer.scale_factor, (int, float)) and not layer.align_corners:
        return Cells(cells.stride / layer.scale_factor, cells.offset + cells.stride * (0.5 / layer.scale_factor - 0.5))
    raise ValueError(
        f"where the cells of {type(layer).__name__} lie is not known: give it a method place_cells(cells), or its trunk a "
        "property cells of its own"
    )


def place_windows(
    cells: Cells,
    size: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Cells:
    """The cells of windows over `cells`; raises ValueError where rows and columns differ."""
    k, s, p, d = (_read_side(value) for value in (size, stride, padding, dilation))
    return Cells(cells.stride * s, cells.offset + cells.stride * (d * (k - 1) / 2 - p))


def _read_side(value: int | Sequence[int]) -> int:
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) > 1:
        raise ValueError(f"a window of {value} is not the same along rows and columns: its trunk must say cells itself")
    return sides.pop()
