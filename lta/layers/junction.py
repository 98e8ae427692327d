"""Where a tensor has several readers: the authors' backward pass averages there instead of adding."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Junction(nn.Module):
    """Gives its input on unchanged. With `averaging`, in training, the gradient that comes back through it, which is the
    sum over all readers, is divided by `divisor` (author_spec section 4: the authors' scripts do that by hand).

    In evaluation mode gradients are always the true ones, so that attacks and saliency maps can be trusted.
    """

    def __init__(self, divisor: int):
        super().__init__()
        self.divisor = divisor
        self.averaging = False

    def forward(self, x: Float[Tensor, "batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """Returns `x`. In training with `averaging`, its gradient is divided by `divisor`."""
        return _Divide.apply(x, self.divisor) if self.averaging and self.training else x

    def extra_repr(self) -> str:
        return f"divisor={self.divisor}"


class _Divide(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, divisor):
        ctx.divisor = divisor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient / ctx.divisor, None
