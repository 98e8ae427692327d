"""Where the day is spent and how large its measurements are."""

import gc
from pathlib import Path
from typing import NamedTuple

import torch


class Sizes(NamedTuple):
    """Of what is measured. `backend`: torch.compile's; None is its own (inductor)."""

    batch: int
    widths: tuple[float, float]  # full and narrow VGG
    air_batch: int
    air_width: float
    backbone: str
    backbone_batch: int
    backbone_size: int
    rounds: int
    steps: int  # in a round
    matmul: int  # rows of a square matrix
    copy_mb: int
    images: int  # of the input pipeline
    epochs_each: int  # with panel and without
    framework_rounds: int
    backend: str | None


ON_GPU = Sizes(128, (1.0, 0.25), 1024, 1.0, "tf_efficientnet_lite0", 64, 224, 9, 10, 8192, 1024, 50_000, 4, 6, None)
DRY = Sizes(4, (0.0625, 0.03125), 4, 0.125, "tf_efficientnet_lite0", 2, 64, 2, 1, 64, 1, 64, 1, 1, "eager")


class Settings(NamedTuple):
    """`out`: the folder of the summary and of the trainings. `device`: cuda, or cpu of a dry run."""

    out: Path
    device: str
    sizes: Sizes

    @property
    def is_dry(self) -> bool:
        return self.sizes is DRY


def release_memory() -> None:
    """Of the GPU, for what comes next, which may be another process."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def make_settings(out: Path, dry_run: bool) -> Settings:
    """Raises ValueError where there is no GPU and this is no dry run."""
    if dry_run:
        return Settings(out, "cpu", DRY)
    if not torch.cuda.is_available():
        raise ValueError(
            f"torch {torch.__version__} finds no GPU here; --dry-run goes through all stages on the CPU, with tiny sizes"
        )
    return Settings(out, "cuda", ON_GPU)
