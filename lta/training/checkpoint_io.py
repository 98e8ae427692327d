"""How a checkpoint reaches the disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lta.runtime.files import replace_file


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
        kept = self.previous.get(path.name)
        try:
            with replace_file(path, one_writer=True, keep=path.with_name(kept) if kept else None) as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's own for what the system refuses
            raise OSError(f"{path} could not be written: {str(error).splitlines()[0]}") from error
