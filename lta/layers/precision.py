"""The precision in which scores, losses and what else is delicate are computed."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def to_full_precision(x: Tensor) -> Tensor:
    """float32, but float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """What is computed with `x` inside keeps the precision that it has. Tensors without values (device "meta") have no
    autocast, and torch.autocast refuses them."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)
