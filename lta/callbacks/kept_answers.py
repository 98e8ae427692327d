"""What the network said of each test picture, from the pass over them that is made anyway."""

from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lta.measures.label_sets import compute_probabilities, gives_several_labels
from lta.models.output import NetworkOutput


class Answers(NamedTuple):
    """A row a test picture, sorted by `places` in the split. The likeliest classes, likeliest first, and their
    probabilities. Where pictures have several labels these are 0 and 1 (pictures, classes), and all classes are there."""

    places: Int[np.ndarray, " pictures"]
    labels: Int[np.ndarray, " pictures *classes"]
    classes: Int[np.ndarray, "pictures top"]
    probabilities: Float[np.ndarray, "pictures top"]


class KeptAnswers(pl.Callback):
    """Keeps the `top` likeliest classes of each test picture, of several labels all. They stay on the device until the test
    ends; then every process knows all of them."""

    def __init__(self, top: int = 3):
        super().__init__()
        self.top = top
        self.answers: Answers | None = None
        self._batches: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._batches = []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: NetworkOutput,
        batch: Any,
        batch_index: int,
        dataloader_idx: int = 0,
    ) -> None:
        _, labels, places = batch
        several = gives_several_labels(pl_module)
        shares = compute_probabilities(outputs.logits, several)
        found = shares.topk(shares.shape[1] if several else min(self.top, shares.shape[1]))
        self._batches.append((places, labels, found.indices, found.values))

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        own = [torch.cat(parts).cpu().numpy() for parts in zip(*self._batches, strict=True)]
        self._batches = []
        everywhere: list[Any] = [own]
        if trainer.world_size > 1:
            everywhere = [None] * trainer.world_size
            torch.distributed.all_gather_object(everywhere, own)
        whole = [np.concatenate(parts) for parts in zip(*(one for one in everywhere if one), strict=True)]
        if whole:
            order = np.argsort(whole[0], kind="stable")
            self.answers = Answers(*(part[order] for part in whole))
