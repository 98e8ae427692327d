"""Too little memory on a device, said in one line with the settings that decide how much is needed. Imports no torch."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from lta.checks import RunError

DECIDING = (
    "data.batch_size",
    "data.eval_batch_size",
    "batch_size",
    "model.width",
    "model.backbone.name",
    "data.image_size",
    "size",
    "trainer.precision",
    "device",
)
"""Settings of which a device's memory depends, of any command; those that a command has are named."""

SAID = re.compile(r"out of memory|_ALLOC_FAILED|can't allocate memory", re.IGNORECASE)
"""What torch, CUDA, cuDNN, cuBLAS and torch's allocator for the CPU say. Not Python's MemoryError, which has no text."""

LONGEST = 160


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch has asked a device for more memory than there is."""
    return isinstance(error, RuntimeError) and SAID.search(str(error)) is not None


@contextmanager
def name_needed_memory(cfg: DictConfig) -> Iterator[None]:
    """Inside, torch's error for too little memory becomes a RunError: what it says, and the settings that decide it.

    `cfg`: those that the command computes with. Any other exception goes through.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        settings = cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
        raise RunError(describe_needed_memory(str(error), settings)) from error


def describe_needed_memory(said: str, settings: Mapping[str, Any]) -> str:
    """In one line, from torch's text."""
    text = " ".join(said.partition("Including non-PyTorch")[0].partition("CUDA kernel errors")[0].split())
    text = text.rstrip(". ") if len(text) <= LONGEST else f"{text[:LONGEST].rpartition(' ')[0]} ..."
    values = {key: _find(settings, key) for key in DECIDING}
    given = [f"{key}={value}" for key, value in values.items() if value is not None]
    line = f"too little memory with {', '.join(given)}: " if given else ""
    ways = []
    if (batch := values["data.batch_size"]) and isinstance(batch, int) and batch > 3 and "trainer" in settings:
        fewer = f"data.batch_size={batch // 2} +trainer.accumulate_grad_batches=2"
        ways.append(f"{fewer} needs less memory for as many images per step")
    if values["device"] not in (None, "cpu"):
        ways.append("device=cpu takes the machine's own memory")
    return f"{line}{text}{'; ' if ways else ''}{'; '.join(ways)}"


def _find(settings: Mapping[str, Any], key: str) -> Any:
    """None where there is no such setting."""
    value: Any = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
