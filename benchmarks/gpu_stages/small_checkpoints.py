"""What a finished training is carried home as: its network, without what only going on with it needs."""

from pathlib import Path

import torch

from lta.training.checkpoint_io import WholeFiles

KEPT = ("hyper_parameters", "state_dict", "epoch")


def keep_network(run: Path, file: Path) -> None:
    """A checkpoint that `lta.load` and all commands read: about half of the run's own, which has the optimiser's state."""
    content = torch.load(run / "checkpoints/last.ckpt", map_location="cpu", weights_only=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    WholeFiles({}).save_checkpoint({key: content[key] for key in KEPT}, file)
