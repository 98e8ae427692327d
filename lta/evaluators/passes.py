"""All images of a split through a network, in batches shared among the processes, one array for each thing looked at."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.distributed import all_gather_object, get_rank, get_world_size, is_available, is_initialized
from tqdm import tqdm

from lta.protocols import Split, TrainedClassifier

MeasureBatch = Callable[[UInt8[Tensor, "batch 3 height width"], Int[np.ndarray, " batch"]], dict[str, Tensor]]
"""From uint8 pictures on the network's device and their positions in the split to values, one an image, by name."""


@torch.no_grad()
def run_forward_passes(
    classifier: TrainedClassifier, split: Split, look: MeasureBatch, batch_size: int, doing: str
) -> dict[str, np.ndarray]:
    """What `look` returns of every image, in the split's order, at every process.

    Process r of w takes batches r, r + w, ...: each is the same batch, with the same numbers, on any number of
    processes. What is random in a `look` must therefore be drawn from the positions, not from where it has got to
    (`generator`). Values in half precision come back as float32. `doing` stands before the progress bar.
    """
    rank, world = (get_rank(), get_world_size()) if is_available() and is_initialized() else (0, 1)
    device = next(classifier.parameters()).device
    classifier.eval()
    starts = range(0, len(split.labels), batch_size)
    found: list[tuple[int, dict[str, np.ndarray]]] = []
    shown = rank == 0 and sys.stderr.isatty()
    for number in tqdm(range(rank, len(starts), world), doing, disable=not shown, leave=False):
        index = np.arange(starts[number], min(starts[number] + batch_size, len(split.labels)))
        images = torch.from_numpy(np.ascontiguousarray(split.images[index])).permute(0, 3, 1, 2).to(device)
        found.append((number, {name: _array(values) for name, values in look(images, index).items()}))
    if world > 1:
        everywhere: list[Any] = [None] * world
        all_gather_object(everywhere, found)
        found = sorted((one for process in everywhere for one in process), key=lambda one: one[0])
    return {name: np.concatenate([values[name] for _, values in found]) for name in found[0][1]} if found else {}


def generator(index: Int[np.ndarray, " batch"], seed: int) -> torch.Generator:
    """Random numbers for a batch that are the same wherever the batch is computed; on the CPU."""
    first = int(index[0]) if len(index) else 0
    return torch.Generator().manual_seed((seed * 1_000_003 + first) % 2**63)


def _array(values: Tensor) -> np.ndarray:
    values = values.detach()
    return (values.float() if values.dtype in (torch.bfloat16, torch.float16) else values).cpu().numpy()
