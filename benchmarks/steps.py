"""A training step of any network, for the benchmarks that time or weigh one."""

from collections.abc import Callable

import torch
from torch import nn

from lta.training.devices import bfloat16_is_native


def precision_of(device: str) -> str:
    """What `trainer.precision=auto` takes there."""
    return "bf16" if bfloat16_is_native("gpu" if device.startswith("cuda") else device) else "fp32"


def waiting(device: str) -> Callable[[], None] | None:
    """What ends a time: a GPU computes on its own."""
    return torch.cuda.synchronize if device.startswith("cuda") else None


def step_of(
    network: nn.Module, batch: int, device: str = "cpu", precision: str = "fp32", channels_last: bool = True, size: int = 32
) -> Callable[[], None]:
    """Forward, cross-entropy, backward, SGD with momentum, on made-up images of 10 classes that stay on the device."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(device, memory_format=layout)
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (batch,), device=device)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    device_type = torch.device(device).type

    def step() -> None:
        with torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16"):
            output = network(images)
        logits = output if isinstance(output, torch.Tensor) else output.logits
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step
