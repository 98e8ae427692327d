"""Whether all processes of a run see the same directory, asked before they train."""

from pathlib import Path

import pytorch_lightning as pl


class SharedDirectory(pl.Callback):
    """The first process has begun the run in `directory`; another machine that has no such run there would show it only
    after the last epoch, when the checkpoint is to be read. Raises ValueError on all of them."""

    def __init__(self, directory: str):
        self.directory = Path(directory)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size == 1:
            return
        begun = (self.directory / "config.yaml").is_file()
        if not trainer.strategy.reduce_boolean_decision(begun, all=True):
            raise ValueError(
                f"hydra.run.dir={self.directory} is not the same folder for all processes of this run: it must be one that "
                "all machines share"
            )
