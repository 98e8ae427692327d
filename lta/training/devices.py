"""What a command runs on, in how many processes: as asked for, or as torchrun, Slurm or the machine say."""

import os
from collections.abc import Sequence
from typing import Any

import torch

ACCELERATORS = ("auto", "cpu", "gpu", "mps")


def choose_accelerator(asked: str) -> str:
    """cpu, gpu or mps; raises ValueError where this machine has none of what is asked for."""
    available = {"cpu": True, "gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return next(name for name in ("gpu", "mps", "cpu") if available[name])
    if not available[asked]:
        raise ValueError(f"trainer.accelerator={asked}: this machine has none that torch {torch.__version__} can use")
    return asked


def choose_devices(asked: Any, accelerator: str) -> int | list[int]:
    """A number or a list of indices. "auto": as many as torchrun or srun start on this machine, else all GPUs.

    Raises ValueError for anything else, and for more GPUs than there are: each process needs one of its own.
    """
    if isinstance(asked, int) and not isinstance(asked, bool) and asked >= 1:
        _check_there(f"trainer.devices={asked}", range(asked), accelerator)
        return asked
    if isinstance(asked, Sequence) and not isinstance(asked, str) and asked:
        indices = list(asked)
        _check_there(f"trainer.devices={indices}", indices, accelerator)
        return indices
    if asked != "auto":
        raise ValueError(f"trainer.devices={asked!r} must be auto, a whole number from 1, or a list of device indices")
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        if name in os.environ:
            started = int(os.environ[name])
            _check_there(f"trainer.devices=auto with {name}={started}", range(started), accelerator)
            return started
    if accelerator == "gpu":
        return torch.cuda.device_count()
    raise ValueError("trainer.devices=auto means all GPUs, but there is none: say how many processes, trainer.devices=2")


def _check_there(said: str, indices: Sequence[int], accelerator: str) -> None:
    """Lightning would refuse it too, in several lines; nccl would hang or fail with two processes on one GPU."""
    there = torch.cuda.device_count()
    if accelerator == "gpu" and any(index >= there for index in indices):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
        least = max(indices) + 1
        raise ValueError(f"{said} needs {least} GPUs, one for each process, and {there} can be used here{seen}")


def choose_nodes(asked: Any) -> int:
    """ "auto": as many machines as torchrun or Slurm say, else one."""
    if isinstance(asked, int) and not isinstance(asked, bool) and asked >= 1:
        return asked
    if asked != "auto":
        raise ValueError(f"trainer.num_nodes={asked!r} must be auto or a whole number, at least 1")
    if "LOCAL_WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"]) // int(os.environ["LOCAL_WORLD_SIZE"])
    return int(os.environ.get("SLURM_NNODES", 1))


def choose_sync_batchnorm(asked: Any, accelerator: str, processes: int) -> bool:
    """ "auto": with several processes on GPUs. Raises ValueError on the CPU, for which torch has none."""
    if asked == "auto":
        return accelerator == "gpu" and processes > 1
    if not isinstance(asked, bool):
        raise ValueError(f"trainer.sync_batchnorm={asked} must be auto, true or false")
    if asked and accelerator != "gpu":
        raise ValueError(f"trainer.sync_batchnorm=true needs GPUs: torch has none for accelerator {accelerator}")
    return asked


def bfloat16_is_faster(accelerator: str, devices: int | Sequence[int] = 1) -> bool:
    """Whether bfloat16 is faster than float32 on all of this machine's `devices`: Ampere or newer, or a CPU with AMX.

    Elsewhere torch emulates it, at half of float32's speed or less. AVX512-BF16 without AMX is no gain either: a step of
    vgg_att3 at widths 0.125 and 0.25 took 1.25 and 1.37 times as long in it (torch 2.14, an Intel Xeon, measured by
    `benchmarks/precision.py`).
    """
    if accelerator == "gpu":
        there = torch.cuda.device_count()
        chosen = range(min(devices, there)) if isinstance(devices, int) else [index for index in devices if index < there]
        return all(torch.cuda.get_device_capability(index) >= (8, 0) for index in chosen)
    if accelerator == "cpu":
        features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(features.get("amx_bf16"))
    return False


def choose_device(asked: str) -> torch.device:
    """ "auto": this process's GPU where there is one, else the CPU. Raises ValueError where there is no such device."""
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise ValueError(f"device={asked} is unknown; choose one of auto, cpu, cuda, cuda:N, mps") from error
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    there = {"cpu": True, "cuda": (device.index or 0) < torch.cuda.device_count(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type):
        raise ValueError(f"device={asked}: this machine has none that torch {torch.__version__} can use")
    return device
