"""ReLU followed by dropout, on the CPU in one pass that keeps nothing but its result. What it computes is torch's."""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from lta.layers.recorded import is_traced

DTYPES = (torch.float32, torch.bfloat16, torch.float64)
PART = 1 << 20
"""Elements at a time, so that no mask of a large tensor is ever whole in memory; fewer would start the threads too often."""
SMALLEST = 1 << 14
"""Elements from which on this is quicker than torch's two operators."""
LEVELS = 1 << 16
"""A random number of 16 bits decides, so that the rate is kept within 2^-17."""


class Layers(nn.Sequential):
    """nn.Sequential, but that each nn.ReLU with an nn.Dropout behind it becomes `relu_dropout` where that applies: training
    on the CPU. Elsewhere (GPUs, evaluation, float16, hooks on the two, and wherever torch looks into a network: compile,
    export, fx, jit.trace, torch.func) it is nn.Sequential.
    """

    def forward(self, x: Tensor | Proxy) -> Tensor | Proxy:
        """In training, each ReLU with a dropout after it is computed in one pass; otherwise as in `nn.Sequential`."""
        if not self.training or is_traced(x):
            return super().forward(x)
        assert isinstance(x, Tensor)
        values: Tensor = x
        layers = list(self)
        place = 0
        while place < len(layers):
            pair = layers[place : place + 2]
            if _is_fusable(pair) and is_applicable(values, pair[1].p):
                values = relu_dropout(values, pair[1].p, pair[0].inplace)
                place += 2
            else:
                values = layers[place](values)
                place += 1
        return values


def relu_dropout(x: Tensor, rate: float, inplace: bool = False) -> Tensor:
    """`dropout(relu(x), rate)` of a CPU tensor of any shape, for training: independent masks from torch's global generator.

    On some CPUs torch draws masks one by one, which takes half of a small network's step; this reads four of them from
    each 64 random bits. Behind a ReLU a gradient passes where the result is positive and nowhere else, so the result
    itself, which the next layer keeps anyway, is all that the backward pass needs. `inplace` overwrites `x`.

    What is kept is scaled by the inverse of the share that is kept on average, 65536/k for a whole k: the mean is exact.
    Only for what `is_applicable`.
    """
    return _ReluDropout.apply(x, rate, inplace)


def is_applicable(x: Tensor, rate: float) -> bool:
    """Whether `relu_dropout` helps with `x`: dense on the CPU, of one of `DTYPES`, not small; 16 bits can tell the rate."""
    if x.device.type != "cpu" or x.dtype not in DTYPES or x.numel() < SMALLEST:
        return False
    dense = x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return dense and 0 < _count_kept(rate) < LEVELS


def _is_fusable(pair: list[nn.Module]) -> TypeGuard[tuple[nn.ReLU, nn.Dropout]]:
    if len(pair) < 2 or type(pair[0]) is not nn.ReLU or type(pair[1]) is not nn.Dropout or not pair[1].training:
        return False
    return not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks for m in pair)


def _count_kept(rate: float) -> int:
    """Of 65536 random numbers those that keep an element."""
    return round((1 - rate) * LEVELS)


def _apply_mask(values: Tensor, kept: int) -> None:
    """Multiplies a vector by its mask, in place, part by part."""
    below = kept - LEVELS // 2  # the random numbers are signed
    keep = torch.empty(min(PART, len(values)), dtype=values.dtype)
    for part in values.split(PART):
        # The lower bound is needed for all 64 bits: without it the sign would always be positive.
        bits = torch.empty((len(part) + 3) // 4, dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
        torch.lt(bits.view(torch.int16)[: len(part)], below, out=keep[: len(part)])
        part.mul_(keep[: len(part)]).mul_(LEVELS / kept)


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
        result = x.relu_() if inplace else x.relu()
        ctx.kept = _count_kept(rate)
        _apply_mask(result.as_strided((result.numel(),), (1,)), ctx.kept)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (result,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, result, 0).mul_(LEVELS / ctx.kept), None, None
