"""Whether torch looks into a computation, which then needs torch's own operators."""

from typing import Any

import torch
from torch import Tensor, nn


def is_traced(x: Any) -> bool:
    """Whether torch records or transforms what is computed with `x`: compile, export, fx, jit.trace, torch.func."""
    # Proxies and fake tensors are no plain tensors. Of torch.func there is no public question to ask; this one is what
    # torch.autograd.Function asks itself.
    recorded = type(x) not in (Tensor, nn.Parameter) or torch.compiler.is_compiling()
    recorded = recorded or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage] documented, not listed
    return recorded or torch._C._are_functorch_transforms_active()
