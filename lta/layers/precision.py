"""The precision in which scores, losses and what else is delicate are computed."""

import torch
from torch import Tensor


def to_full_precision(x: Tensor) -> Tensor:
    """float32, but float64 stays."""
    return x if x.dtype == torch.float64 else x.float()
