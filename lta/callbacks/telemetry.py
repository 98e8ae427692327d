"""Numbers on the attention maps of the whole validation set, and on the gradient that reaches the query."""

import re
from itertools import combinations
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from lta import checks
from lta.callbacks.found_objects import FoundObjects, find_shown_masks
from lta.measures.map_statistics import agreement, centre_bias, entropy, peak
from lta.measures.placement import find_placements
from lta.models.output import NetworkOutput
from lta.protocols import Network, get_splits


class AttentionTelemetry(pl.Callback):
    """Logs once an epoch, each a mean over all validation images (see `lta.measures.map_statistics`;
    without a validation set over the training images that the data module watches):

    `attention/<level>/entropy` (nats), `/effective_positions`, `/peak`, `/centre_bias`, and for every pair of levels
    `attention/agreement/<A-B>`. Sums stay on the device until the epoch's end; then sums and counts of all processes
    are added, so that the means are exact where processes have unequally many images.

    `attention/query_grad_norm/<level>` is the L2 norm of the gradient that training follows, with respect to all parameters
    of the global branch that reads that level, mean over the first and every further `grad_every`-th optimiser step of the
    epoch: 0 (up to rounding) says that the query is inert. It is read just before the step: averaged over processes,
    accumulated over batches, unscaled where precision needs a scale (infinite where that scale overflowed and the step is
    left out), not yet clipped, without weight decay. Not logged for networks without a global branch.

    Where masks teach the maps, or the data set has masks of some pictures, also how well maps find the validation pictures'
    objects (see `FoundObjects`).
    """

    def __init__(self, grad_every: int = 20):
        super().__init__()
        checks.require_whole_number("callbacks.telemetry.grad_every", grad_every, least=1)
        self.grad_every = grad_every
        self._step = 0
        self._names: tuple[str, ...] = ()
        self._sums = torch.zeros(0)  # over images, in the order of the names, then the number of images
        self._found: FoundObjects | None = None

    # The validation set's maps.

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # From no images at all: a process that has none takes part in the sum too.
        self._names = tuple(statistics({level: torch.zeros(0, 1, 1) for level in cast("Network", pl_module.network).levels}))
        # Double precision where there is one: thousands of images are added up.
        dtype = torch.float32 if pl_module.device.type == "mps" else torch.float64
        self._sums = torch.zeros(len(self._names) + 1, dtype=dtype, device=pl_module.device)
        self._found = find_objects(trainer, pl_module) if self._names and not trainer.sanity_checking else None

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: NetworkOutput,
        batch: Any,
        batch_index: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._names and dataloader_idx == 0:  # the first of the watched splits; a look at the test set may follow
            columns = statistics(outputs.attn)
            assert tuple(columns) == self._names, "a network's maps are keyed by its levels, in their order"
            values = torch.stack(list(columns.values()))
            self._sums[:-1] += values.to(self._sums.dtype).sum(1)
            self._sums[-1] += values.shape[1]
            if self._found is not None:
                self._found.add(batch[2], outputs.attn)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or not self._names:
            return
        *sums, count = trainer.strategy.reduce(self._sums, reduce_op="sum")
        means = {name: (total / count).float() for name, total in zip(self._names, sums, strict=True)}
        pl_module.log_dict(means, logger=False)
        if self._found is not None:
            sums = self._found.sums.to(self._sums)
            pl_module.log_dict(self._found.summarise(trainer.strategy.reduce(sums, reduce_op="sum").cpu()), logger=False)

    # The query's gradient.

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = 0

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer) -> None:
        if self._step % self.grad_every == 0:
            for level, branch in getattr(pl_module.network, "branches", {}).items():
                gradients = [parameter.grad for parameter in branch.parameters() if parameter.grad is not None]
                norm = torch.nn.utils.get_total_norm(gradients).to(pl_module.device)
                # Lightning averages over the epoch, on the device.
                key = f"attention/query_grad_norm/{level}"
                pl_module.log(key, norm, on_step=False, on_epoch=True, batch_size=1, logger=False)
        self._step += 1


def find_objects(trainer: pl.Trainer, pl_module: pl.LightningModule) -> FoundObjects | None:
    """What is to be found in the validation set; None where maps are not taught by masks and it has none of its own, and
    where it has masks of fewer than two pictures, or than two groups that are not independent."""
    if getattr(trainer, "datamodule", None) is None or (val := get_splits(trainer).val) is None:
        return None
    if (masks := find_shown_masks(pl_module, val)) is None:
        return None
    known = masks.known
    if len(known if val.sources is None else np.unique(val.sources[known])) < 2:
        return None
    network = cast("Network", pl_module.network)
    height, width = val.images.shape[1:3]
    pixels = masks.pixels[masks.rows[known]]
    return FoundObjects(val, pixels, known, tuple(network.levels), find_placements(network, (height, width)))


def check_is_measured(key: str, monitor: str, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
    """Raises ValueError where `monitor` (the value of the setting `key`) says how well maps find objects and this is not
    measured in this training. There is a validation set."""
    named = re.fullmatch(r"val/(iou|pointing|energy)(?:/(.+))?", monitor)
    if named is None:
        return
    measure, level = named.groups()
    levels = tuple(cast("Network", pl_module.network).levels)
    if not any(isinstance(callback, AttentionTelemetry) for callback in getattr(trainer, "callbacks", ())):
        why = "callbacks.telemetry, which measures it, is null"
    elif not levels:
        why = "the network has no maps"
    elif level is None and measure != "iou":
        why = f"it is measured for each level: choose {monitor}/{levels[-1]}"
    elif level is not None and level not in levels:
        why = f"the network has no level {level}; its levels are {', '.join(levels)}"
    elif find_objects(trainer, pl_module) is None:
        taught = getattr(pl_module, "masks", None) is not None
        why = "at least two validation pictures need a mask" + (
            "" if taught else " (where objects are known, loss.mask above 0 makes masks)"
        )
    else:
        return
    raise ValueError(f"{key}={monitor} is not measured: {why}")


def statistics(attn: dict[str, Float[Tensor, "batch _ _"]]) -> dict[str, Float[Tensor, " batch"]]:
    """One number per image, by the name it is logged as."""
    columns = {}
    for level, maps in attn.items():
        nats = entropy(maps)
        columns[f"attention/{level}/entropy"] = nats
        columns[f"attention/{level}/effective_positions"] = nats.exp()
        columns[f"attention/{level}/peak"] = peak(maps)
        columns[f"attention/{level}/centre_bias"] = centre_bias(maps)
    for a, b in combinations(attn, 2):
        columns[f"attention/agreement/{a}-{b}"] = agreement(attn[a], attn[b])
    return columns
