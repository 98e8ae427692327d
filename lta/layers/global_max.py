"""The largest value over all positions."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GlobalMax(nn.AdaptiveMaxPool2d):
    """`nn.AdaptiveMaxPool2d(1)`: `(batch, channels, 1, 1)`. Where deterministic algorithms are asked for
    (`trainer.deterministic=true`) by another operator, of half the speed and less, since torch refuses the pool's gradient
    then on GPUs; where several positions are largest they share the gradient, which the pool gives to one of them.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels 1 1"]:
        """Under deterministic algorithms by `amax`, whose gradient is shared among equal maxima."""
        if torch.are_deterministic_algorithms_enabled():
            return x.amax((2, 3), keepdim=True)
        return super().forward(x)
