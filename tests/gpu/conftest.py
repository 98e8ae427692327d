"""Tests of this folder need a GPU, or `LTA_GPU_TESTS=cpu` (see on_device.py): without, each is skipped, and says so."""

import os

import pytest
import torch
from on_device import DEVICE, REHEARSED, VARIABLE

WHY = f"no GPU here that torch {torch.__version__} can use; {VARIABLE}=cpu rehearses it on the CPU"


def pytest_configure(config):
    if os.environ.get(VARIABLE, "") not in ("", "cpu"):
        raise pytest.UsageError(f"{VARIABLE}={os.environ[VARIABLE]} must be cpu, or not set")


def pytest_collection_modifyitems(items):
    if not (torch.cuda.is_available() or REHEARSED):
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason=WHY))


@pytest.fixture(autouse=True)
def _as_it_was():
    """What a test has changed of torch for the whole process."""
    tf32, benchmark = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32, benchmark
    torch.use_deterministic_algorithms(False)
    if DEVICE.type == "cuda":
        torch.cuda.set_sync_debug_mode("default")
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
