"""Weights that go back, ever further, towards an average of themselves (arXiv 2404.00498; Zhang et al. 2019)."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lta import checks
from lta.training import foreach


class Lookahead(pl.Callback):
    """After every `every`-th optimiser step the average takes the share 1 - k of the network's weights and running
    statistics, and the network then takes the average: k = `base` ^ `every` (step / all steps) ^ `power`. So at first next
    to nothing is kept, at the end most. After the last step the network is the average; before it, between two updates,
    it is not (what validation sees, and an earlier checkpoint holds).

    As in legacy/airbench94.py of KellerJordan/cifar10-airbench. (Its later version averages from epoch 3 on, and goes back
    to the average after each epoch.) The average is part of checkpoints. Several processes each average what they have;
    running statistics are made equal over them at an epoch's end, as always.

    Raises ValueError where a training has fewer than two updates: its end would be mostly its start.
    """

    def __init__(self, every: int = 5, base: float = 0.95, power: float = 3.0):
        super().__init__()
        checks.require_whole_number("lookahead.every", every, least=1)
        checks.require_share("lookahead.base", base)
        checks.require_number("lookahead.power", power, 0, 1000)
        self.every, self.base, self.power = every, base, power
        self._average: dict[str, Tensor] = {}
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._step = trainer.global_step
        self._total = int(trainer.estimated_stepping_batches)
        if self._total < 2 * self.every:
            raise ValueError(
                f"recipe.lookahead=true averages every {self.every} steps, and this training has only {self._total}: "
                "recipe.lookahead=false leaves it out; more epochs or a smaller data.batch_size make more steps"
            )
        now = _collect_floats(module)
        if self._average.keys() != now.keys():
            self._average = {name: value.clone() for name, value in now.items()}
        self._average = {name: value.to(now[name].device) for name, value in self._average.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        if trainer.global_step == self._step:  # gradients are accumulated
            return
        self._step = trainer.global_step
        if self._step % self.every == 0:
            kept = self.base**self.every * (self._step / self._total) ** self.power
        elif self._step >= self._total:
            kept = 1.0
        else:
            return
        now = _collect_floats(module)
        values, averages = list(now.values()), [self._average[name] for name in now]
        foreach.lerp_(averages, values, 1 - kept)  # all at once: a kernel for each would take longer to start
        foreach.copy_(values, averages)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average = dict(state_dict["average"])


def _collect_floats(module: pl.LightningModule) -> dict[str, Tensor]:
    """Everything of the network that is a float: weights and running statistics, on the device."""
    network = module.network
    assert isinstance(network, nn.Module)
    return {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
