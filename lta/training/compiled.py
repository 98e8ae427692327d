"""torch.compile for the network's training step, where it is asked for."""

from typing import Any

import pytorch_lightning as pl


class CompileTraining(pl.Callback):
    """Validation, test and all that is asked of a trained network use it as it is: they look into it."""

    def setup(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        if stage == "fit":
            module.compile_training()
