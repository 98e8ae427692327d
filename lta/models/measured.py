"""Parts of a network that are measured on training pictures before the training, and not trained."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from torch import Tensor, nn

Batches = Callable[[int], Iterable[Tensor]]
"""From a number of pictures to so many of them at most, spread evenly over all, in batches `(n, 3, height, width)` as the
network sees them: preprocessed, not augmented."""


class Measured(nn.Module, ABC):
    """A part that finds its values on training pictures."""

    @abstractmethod
    def fit(self, batches: Batches) -> None:
        """Keeps in buffers what it finds."""

    @abstractmethod
    def copy_measured(self, of: nn.Module) -> None:
        """What one of the same configuration has found."""


def fit_measured(network: nn.Module, batches: Batches) -> None:
    """Measures all that `network` has to be measured; where there is none, `batches` is not called."""
    for module in network.modules():
        if isinstance(module, Measured):
            module.fit(batches)


def copy_measured(of: nn.Module, to: nn.Module) -> None:
    """Gives `to` what was measured for `of`, a network of the same configuration."""
    for measured, module in zip(of.modules(), to.modules(), strict=True):
        if isinstance(module, Measured):
            module.copy_measured(measured)
