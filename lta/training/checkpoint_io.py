"""How a checkpoint reaches the disk."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO


class WholeFiles(TorchCheckpointIO):
    """A checkpoint is there whole or not at all: written beside its place, synced, then renamed.

    Lightning writes to the system's temporary folder and moves the file, which is a copy, and can be cut off, where that
    folder is on another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
