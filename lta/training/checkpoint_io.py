"""How a checkpoint reaches the disk, and how one sees that it is what was written."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from lta.runtime.files import replace_file

DIGEST = "tensors_sha256"
"""The key of a checkpoint's digest."""

MOST = 300_000
"""Values in a checkpoint: a few lists that hold each other can stand for any number of them."""


class WholeFiles(TorchCheckpointIO):
    """A checkpoint is there whole or not at all: written beside its place, synced, then renamed.

    Lightning writes to the system's temporary folder and moves the file, which is a copy, and can be cut off, where that
    folder is on another disk. `previous` names what an earlier file of a name is kept as, should the disk spoil the later.
    It carries a digest of its tensors: torch's reader believes the file's directory, and of one flipped bit there makes
    weights of whatever lies in the memory.
    """

    def __init__(self, previous: Mapping[str, str]):
        super().__init__()
        self.previous = previous

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """The file appears under its name only when all of it is on disk. Raises OSError where it can't be written."""
        path = Path(path)
        kept = self.previous.get(path.name)
        try:
            with replace_file(path, one_writer=True, keep=path.with_name(kept) if kept else None) as file:
                torch.save(add_digest(checkpoint), file)
        except RuntimeError as error:  # torch's own for what the system refuses
            raise OSError(f"{path} could not be written: {str(error).splitlines()[0]}") from error


def add_digest(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint with a digest of its tensors."""
    return {**checkpoint, DIGEST: digest_tensors(checkpoint)}


def has_its_tensors(checkpoint: Mapping[str, Any]) -> bool | None:
    """Whether the tensors of what was read are those that were written; None for a file of an earlier version, which has no
    digest. Raises ValueError where it holds more than any checkpoint of lta."""
    return checkpoint[DIGEST] == digest_tensors(checkpoint) if DIGEST in checkpoint else None


def digest_tensors(content: Mapping[str, Any]) -> str:
    """Of all tensors in a nest of dicts and lists: their places, kinds, shapes and values."""
    digest = hashlib.sha256()  # processors have instructions for it: a quarter of the time of blake2b
    for number, (path, tensor) in enumerate(_iter_nodes(content, "")):
        if number == MOST:
            raise ValueError(f"it holds more than {MOST} values")
        if not isinstance(tensor, Tensor):
            continue
        digest.update(f"{path} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().flatten()
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _iter_nodes(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, node
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _iter_nodes(value, f"{path}/{key}")
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _iter_nodes(value, f"{path}/{number}")
