"""What the device can do at most, measured: a table of names would not know its clock, its power limit or its neighbours."""

from collections.abc import Callable
from functools import partial

import torch
from measuring import alternate
from steps import waiting

from gpu_stages.settings import Settings


def measure_matmul(settings: Settings, precision: str) -> list[float]:
    """Operations a second of large square matrix products, a round each. `precision`: bf16, tf32 or fp32."""
    rows, repeated = settings.sizes.matmul, settings.sizes.steps
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(rows, rows, device=settings.device, dtype=dtype) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        seconds = _time(settings, partial(torch.mm, a, b), repeated)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return [repeated * 2 * rows**3 / one for one in seconds]


def measure_copy(settings: Settings) -> list[float]:
    """Bytes a second, read and written, of a large copy on the device."""
    repeated = settings.sizes.steps
    source = torch.zeros(settings.sizes.copy_mb * 1_000_000, device=settings.device, dtype=torch.uint8)
    target = torch.empty_like(source)
    return [2 * repeated * len(source) / one for one in _time(settings, partial(target.copy_, source), repeated)]


def _time(settings: Settings, work: Callable[[], object], repeated: int) -> list[float]:
    def way() -> None:
        for _ in range(repeated):
            work()

    wait = waiting(settings.device)
    return alternate({"one": way}, settings.sizes.rounds, warm_up=2, wait=wait)["one"]
