"""Batch normalisation's running statistics, where the processes of a run have seen different images."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def average_running_statistics(network: nn.Module, mean: Callable[[Tensor], Tensor]) -> None:
    """Sets running means and variances to their averages over the processes, in one exchange; `mean` averages a vector.

    Norms whose statistics are pretrained and kept (`keeps_statistics`) are left as they are, to the last bit.

    DDP would take rank 0's at each forward pass instead: an exchange a step, and what the others have seen is lost.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    norms = [norm for norm in norms if not getattr(norm, "keeps_statistics", False)]
    statistics = [part for norm in norms for part in (norm.running_mean, norm.running_var) if part is not None]
    if statistics:
        averaged = mean(torch.cat(statistics)).split([len(part) for part in statistics])
        for part, value in zip(statistics, averaged, strict=True):
            part.copy_(value)
