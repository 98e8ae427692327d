"""A linear layer whose output is multiplied by a constant."""

from jaxtyping import Float
from torch import Tensor, nn


class ScaledLinear(nn.Linear):
    """`scale * (W x + b)`: with scale 1/9 the logits start small and learn slowly (arXiv 2404.00498, airbench94.py)."""

    def __init__(self, inputs: int, outputs: int, scale: float, bias: bool = True):
        super().__init__(inputs, outputs, bias)
        self.scale = scale

    @classmethod
    def from_linear(cls, linear: nn.Linear, scale: float) -> "ScaledLinear":
        """The same weights, scaled."""
        scaled = cls(linear.in_features, linear.out_features, scale, linear.bias is not None)
        scaled.load_state_dict(linear.state_dict())
        return scaled

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The linear layer's output, times `scale`."""
        return self.scale * super().forward(x)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale:g}"
