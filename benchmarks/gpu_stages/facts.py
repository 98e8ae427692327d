"""What this machine is: the GPU, its driver, the libraries, the data; and how fast the GPU is, measured."""

import os
import platform
import statistics
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gpu_stages.peak import measure_copy, measure_matmul
from gpu_stages.settings import Settings

LIBRARIES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "timm", "wandb", "kornia")
SMI = "name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.mem"


def collect_facts(settings: Settings, seconds: float) -> dict[str, Any]:
    on_gpu = settings.device == "cuda"
    precisions = ("bf16", "tf32", "fp32") if on_gpu else ("bf16", "fp32")
    return {
        "gpu": _describe_gpu() if on_gpu else None,
        "python": platform.python_version(),
        "libraries": {name: _find_version(name) for name in LIBRARIES},
        "threads": torch.get_num_threads(),
        "data_root": "LTA_DATA_ROOT" in os.environ,
        "matmul_tflops": {name: _middle(measure_matmul(settings, name)) / 1e12 for name in precisions},
        "copy_gb_per_second": _middle(measure_copy(settings)) / 1e9,
    }


def _describe_gpu() -> dict[str, Any]:
    about = torch.cuda.get_device_properties(0)
    return {
        "name": about.name,
        "count": torch.cuda.device_count(),
        "capability": f"{about.major}.{about.minor}",
        "memory_gb": about.total_memory / 1e9,
        "processors": about.multi_processor_count,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "nvidia_smi": _ask_nvidia_smi(),
    }


def _ask_nvidia_smi() -> str | None:
    """None where the tool is not there."""
    try:
        asked = ["nvidia-smi", f"--query-gpu={SMI}", "--format=csv,noheader"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _middle(values: list[float]) -> float:
    return statistics.median(values)
