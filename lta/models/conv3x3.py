"""A 3x3 convolution whose weights' gradient is quick on small maps too."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ROW = 32
"""Positions along a row that AMX adds up at once, in bfloat16: what a shorter row lacks is computed and thrown away."""


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)`, computed alike.

    In bfloat16 on a CPU with AMX, oneDNN takes four to nine times as long for the gradient of the weights as for the output
    where maps are 7x7 or 3x3 (torch 2.14): it adds up row by row. There several pictures are laid side by side into rows of
    32 positions, a column of zeros between them, which gives the same sum in half to a fifth of the time.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs height width"]:
        """In bfloat16 training on small maps, the gradient of the weights is computed from several pictures side by side."""
        if self.weight.requires_grad and count_side_by_side(len(x), x.shape[3]) >= 4 and _is_trained_in_bfloat16(x):
            return _SideBySide.apply(x.bfloat16(), self.weight.bfloat16())
        return super().forward(x)


def count_side_by_side(batch: int, width: int) -> int:
    """How many pictures of that width fit into a row, of a batch that is to have as many in all rows."""
    return next(count for count in range(max(ROW // (width + 1), 1), 0, -1) if batch % count == 0)


def lay_side_by_side(x: Float[Tensor, "batch channels height width"], count: int) -> Float[Tensor, "rows channels height _"]:
    """`count` pictures a row, each with a column of zeros behind it; channels last."""
    batch, channels, height, width = x.shape
    laid = x.new_zeros(batch // count, height, count, width + 1, channels)
    laid[:, :, :, :width] = x.permute(0, 2, 3, 1).unflatten(0, (-1, count)).transpose(1, 2)
    return laid.flatten(2, 3).permute(0, 3, 1, 2)


class _SideBySide(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return nn.functional.conv2d(x, weight, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        of_x = _differentiate(gradient, x, weight, 0) if ctx.needs_input_grad[0] else None
        count = count_side_by_side(len(x), x.shape[3])
        return of_x, _differentiate(lay_side_by_side(gradient, count), lay_side_by_side(x, count), weight, 1)


def _differentiate(gradient: Tensor, x: Tensor, weight: Tensor, which: int) -> Tensor:
    mask = [which == 0, which == 1, False]
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)[
        which
    ]


def _is_trained_in_bfloat16(x: Tensor) -> bool:
    on_cpu = x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return on_cpu and torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16 and _has_amx()


@cache
def _has_amx() -> bool:
    return bool(torch.cpu.get_capabilities().get("amx_bf16")) if hasattr(torch.cpu, "get_capabilities") else False
