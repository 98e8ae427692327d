"""The largest value over all positions."""

from jaxtyping import Float
from torch import Tensor, nn


class GlobalMax(nn.Module):
    """What `nn.AdaptiveMaxPool2d(1)` gives, `(batch, channels, 1, 1)`, but that its gradient is deterministic on GPUs too:
    torch's pool refuses to work there with `trainer.deterministic=true`. Where several positions are largest they share
    the gradient; torch's gives it to one of them.
    """

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels 1 1"]:
        return x.amax((2, 3), keepdim=True)
