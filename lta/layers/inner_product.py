"""The products <l_i, v> of all positions with one vector, in full precision without a copy of the features in it."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lta.layers.recorded import is_traced

PART = 1 << 18
"""Elements that are converted at a time on the CPU: a part stays in its cache. A GPU takes all at once."""


def inner_product(
    positions: Float[Tensor, "batch positions channels"],
    vector: Float[Tensor, " channels"] | Float[Tensor, "batch channels"],
) -> Float[Tensor, "batch positions"]:
    """In `vector`'s precision; one vector for all images, or one for each.

    Features of less precision, as autocast makes them, are converted on the way, in the backward pass once more: autograd
    would keep the converted copy, twice as large as the features themselves.
    """
    if positions.dtype == vector.dtype or is_traced(positions):
        return _product(positions.to(vector.dtype), vector)
    return _InnerProduct.apply(positions, vector)


def _product(positions: Tensor, vector: Tensor) -> Tensor:
    if vector.dim() == 1:
        return positions @ vector
    return torch.bmm(positions, vector.unsqueeze(2)).squeeze(2)


def _convert_parts(positions: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Parts of the images, and their features in `dtype`; the next part takes the place of the one before."""
    batch, *rest = positions.shape
    each = batch
    if positions.device.type == "cpu":
        each = min(batch, max(PART // max(positions[0].numel(), 1), 1)) if batch else 1
    part = torch.empty((each, *rest), dtype=dtype, device=positions.device)
    for start in range(0, batch, max(each, 1)):
        images = slice(start, min(start + each, batch))
        yield images, part[: images.stop - images.start].copy_(positions[images])


class _InnerProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, positions: Tensor, vector: Tensor) -> Tensor:
        ctx.save_for_backward(positions, vector)
        scores = torch.empty(positions.shape[:2], dtype=vector.dtype, device=positions.device)
        for images, features in _convert_parts(positions, vector.dtype):
            scores[images] = _product(features, vector if vector.dim() == 1 else vector[images])
        return scores

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        positions, vector = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient's gradient is asked for
            outer = gradient.unsqueeze(2) * vector.unsqueeze(-2)
            of_vector = torch.bmm(gradient.unsqueeze(1), positions.to(vector.dtype)).squeeze(1)
            return outer.to(positions.dtype), of_vector.sum_to_size(vector.shape)
        of_positions = of_vector = None
        if ctx.needs_input_grad[0]:
            of_positions = torch.empty_like(positions)
            torch.mul(gradient.unsqueeze(2), vector.unsqueeze(-2), out=of_positions)
        if ctx.needs_input_grad[1]:
            of_vector = torch.zeros_like(vector)
            for images, features in _convert_parts(positions, vector.dtype):
                if vector.dim() == 1:
                    of_vector += gradient[images].flatten() @ features.flatten(0, 1)
                else:
                    of_vector[images] = torch.bmm(gradient[images].unsqueeze(1), features).squeeze(1)
        return of_positions, of_vector
