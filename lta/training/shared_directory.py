"""Whether all processes of a run see the same directory, asked before they train, and whether it is still there."""

from pathlib import Path

import pytorch_lightning as pl


class SharedDirectory(pl.Callback):
    """The first process has begun the run in `directory`; another machine that has no such run there would show it only
    after the last epoch, when the checkpoint is to be read. Raises ValueError on all of them.

    And on the first, at the end of an epoch, where the directory was removed or moved since: what is written then would lie
    in a new one, without the rest.
    """

    def __init__(self, directory: str):
        self.directory = Path(directory)
        self.begun = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        begun = self.begun = (self.directory / "config.yaml").is_file()
        if trainer.world_size == 1:
            return
        if not trainer.strategy.reduce_boolean_decision(begun, all=True):
            raise ValueError(
                f"hydra.run.dir={self.directory} is not the same folder for all processes of this run: it must be one that "
                "all machines share"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.begun and trainer.is_global_zero and not (self.directory / "config.yaml").is_file():
            raise ValueError(f"{self.directory} was removed or moved while the run was trained, after it had begun there")
