"""A training step of any network, for the benchmarks that time one."""

import argparse
from collections.abc import Callable, Sequence

import torch
from measuring import Results, arguments
from torch import nn

from lta.training.devices import bfloat16_is_faster, choose_device


def begin(doc: str, repetitions: int, widths: Sequence[float]) -> tuple[argparse.Namespace, Results]:
    """What a script for steps is asked for. `options.precision` is what `trainer.precision=auto` takes on the device."""
    parser = arguments(doc, repetitions)
    parser.add_argument("--widths", type=float, nargs="+", default=widths)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.batch < 2:
        raise ValueError(f"--batch={options.batch} must be at least 2: batch norm needs two images")
    options.device = choose_device(options.device).type
    faster = bfloat16_is_faster("gpu" if options.device == "cuda" else options.device)
    options.precision = "bf16" if faster else "fp32"
    return options, Results(options, f"{options.precision}, batch {options.batch}, {options.device}")


def waiting(device: str) -> Callable[[], None] | None:
    """What ends a time: a GPU computes on its own."""
    return {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(device)


def step_of(
    network: nn.Module,
    batch: int,
    device: str = "cpu",
    precision: str = "fp32",
    channels_last: bool = True,
    size: int = 32,
    optimizer: torch.optim.Optimizer | None = None,
) -> Callable[[], None]:
    """Forward, cross-entropy, backward, `optimizer` (else SGD with momentum), on made-up images of 10 classes that stay on
    the device."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(device, memory_format=layout)
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (batch,), device=device)
    optimizer = optimizer or torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            output = network(images)
        logits = output if isinstance(output, torch.Tensor) else output.logits
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step
