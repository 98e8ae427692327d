"""How a checkpoint reaches the disk."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO


class WholeFiles(TorchCheckpointIO):
    """A checkpoint is there whole or not at all: written beside its place, synced, then renamed.

    Lightning writes to the system's temporary folder and moves the file, which is a copy, and can be cut off, where that
    folder is on another disk. `previous` names what an earlier file of a name is kept as, should the disk spoil the later.
    """

    def __init__(self, previous: Mapping[str, str]):
        super().__init__()
        self.previous = previous

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException as error:
            part.unlink(missing_ok=True)  # on a full disk its room is needed
            if isinstance(error, RuntimeError):  # torch's own for what the system refuses
                raise OSError(f"{path} could not be written: {str(error).splitlines()[0]}") from error
            raise
        if path.name in self.previous and path.exists():
            os.replace(path, path.with_name(self.previous[path.name]))
        os.replace(part, path)
