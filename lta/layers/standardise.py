"""Features of mean 0 and spread 1, by what was measured once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standardise(nn.Module):
    """(x - mean) / std by channel. Before `set_statistics` it gives its input on unchanged. Both are kept in the state."""

    def __init__(self, channels: int):
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def set_statistics(self, mean: Float[Tensor, " channels"], std: Float[Tensor, " channels"]) -> None:
        """A channel without any variation keeps std 1."""
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """Subtracts each channel's mean, and divides by its standard deviation."""
        return (x - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)


class Statistics:
    """Collects means and spreads by channel over the places of many maps, in double precision."""

    def __init__(self) -> None:
        self.total, self.squares, self.count = torch.zeros(()), torch.zeros(()), 0

    def add(self, x: Float[Tensor, "batch channels height width"]) -> None:
        """Counts these features in."""
        values = x.double()
        self.total = self.total + values.sum((0, 2, 3))
        self.squares = self.squares + values.square().sum((0, 2, 3))
        self.count += x[:, 0].numel()

    def compute(self) -> tuple[Tensor, Tensor]:
        """Means and standard deviations."""
        mean = self.total / self.count
        return mean, (self.squares / self.count - mean.square()).clamp(min=0).sqrt()
