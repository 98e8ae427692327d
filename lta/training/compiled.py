"""torch.compile for the network's training step, where it is asked for."""

from typing import Any

import pytorch_lightning as pl
import torch

from lta.training.classifier import Classifier

GRAPHS = "reduce-overhead"
"""torch.compile's mode that records CUDA graphs."""


class CompileTraining(pl.Callback):
    """Validation, test and all that is asked of a trained network use it as it is: they look into it.

    With `graphs`, the GPU gets a step as a few recorded CUDA graphs instead of kernel by kernel.
    """

    def __init__(self, graphs: bool = False):
        super().__init__()
        self.graphs = graphs

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            assert isinstance(module, Classifier)
            module.compile_training(GRAPHS if self.graphs else None)

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int) -> None:
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()  # what the last step put out may be written over


def choose_compile(asked: Any, accelerator: str) -> list[pl.Callback]:
    """What takes part in a training for `trainer.compile`. Raises ValueError where it is none of true, false and
    reduce-overhead, and for that without a GPU."""
    if asked == GRAPHS:
        if accelerator != "gpu":
            raise ValueError(f"trainer.compile={GRAPHS} needs a GPU: it records CUDA graphs; true compiles without them")
        return [CompileTraining(graphs=True)]
    if not isinstance(asked, bool):
        raise ValueError(f"trainer.compile={asked} must be true, false, or {GRAPHS} (CUDA graphs)")
    return [CompileTraining()] if asked else []
