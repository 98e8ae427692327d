"""The Lightning trainer, with hardware and precision chosen for one person with one machine unless told otherwise."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ProgressBar

from lta import checks
from lta.training.checkpoint_io import WholeFiles

log = logging.getLogger(__name__)

ACCELERATORS = ("auto", "cpu", "gpu", "mps")
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed", "64-true")


def build_trainer(
    epochs: int,
    directory: str,
    callbacks: Sequence[pl.Callback] = (),
    accelerator: str = "auto",
    devices: int | Sequence[int] = 1,
    num_nodes: int = 1,
    strategy: str = "auto",
    precision: str = "auto",
    **options: Any,
) -> pl.Trainer:
    """A trainer for `epochs` that writes below `directory`; `options` go to `pytorch_lightning.Trainer` as they are.

    `devices=1` takes one device, so that several GPUs are used only when asked for. `precision="auto"` is bf16-mixed
    where the device computes in bfloat16 natively, else 32-true. What was chosen is logged in one line.
    """
    checks.choice("trainer.accelerator", accelerator, ACCELERATORS)
    checks.choice("trainer.precision", precision, PRECISIONS)
    checks.whole("trainer.num_nodes", num_nodes, least=1)
    counted = isinstance(devices, int) and not isinstance(devices, bool) and devices >= 1
    if not counted and not (isinstance(devices, Sequence) and not isinstance(devices, str) and devices):
        raise ValueError(f"trainer.devices={devices!r} must be a number of devices, at least 1, or a list of their indices")
    available = {"cpu": True, "gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator == "auto":
        accelerator = next(name for name in ("gpu", "mps", "cpu") if available[name])
    elif not available[accelerator]:
        raise ValueError(f"trainer.accelerator={accelerator}: this machine has none that torch {torch.__version__} can use")
    if precision == "auto":
        precision = "bf16-mixed" if bfloat16_is_native(accelerator) else "32-true"
    if pl.utilities.rank_zero_only.rank == 0:
        log.info("device: %s x %s, precision %s", accelerator, devices, precision)
    _quieten_lightning()
    return pl.Trainer(
        max_epochs=epochs,
        default_root_dir=directory,
        callbacks=list(callbacks),
        logger=False,  # given when the run directory is begun
        plugins=[WholeFiles()],
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
        precision=precision,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_model_summary=False,
        use_distributed_sampler=False,  # the data module shares out whole batches itself
        num_sanity_val_steps=0,
        **options,
    )


def _quieten_lightning() -> None:
    """Drops advice that does not hold here; what was chosen is said in lines of our own."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        r".*does not have many workers.*",  # batches are gathered from memory: workers would only copy them
        r".*smaller than the logging interval.*",  # rows are logged once an epoch
        r".*treespec.*LeafSpec.*",  # between Lightning and torch
        r".*It is recommended to use `self.log.*sync_dist=True.*",  # metrics are already reduced over processes
        r".*all_gather is deprecated.*",  # between Lightning and torch
        r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
    ):
        warnings.filterwarnings("ignore", message)


def bfloat16_is_native(accelerator: str) -> bool:
    """Whether bfloat16 is faster than float32 there: Ampere or newer, or a CPU with AMX or AVX512-BF16 instructions.

    Elsewhere torch emulates it, at half of float32's speed or less.
    """
    if accelerator == "gpu":
        return torch.cuda.get_device_capability() >= (8, 0)
    if accelerator == "cpu":
        features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(features.get("amx_bf16") or features.get("avx512_bf16"))
    return False
