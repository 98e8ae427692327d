"""A callback that lets a plain PyTorch loop take turns with the Trainer that calls it."""

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lta.training.classifier import Classifier


class BareLoop(pl.Callback):
    """After every `steps` training steps of the run the plain loop does as many; after `rounds` of them the run ends.

    The loop has the run's network, data, preparation, loss, optimiser, schedule and metrics, in copies of its own. `out`
    gets a JSON of both ways' seconds, a round each. The Trainer's time goes from one call of this callback's hook to
    another and has all that comes between, the other callbacks too; what an epoch's begin and end take is not in it.
    """

    def __init__(self, out: str, rounds: int, steps: int = 20, warm_up: int = 1):
        super().__init__()
        self.out, self.rounds, self.steps, self.warm_up = Path(out), rounds, steps, warm_up
        self.taken: dict[str, list[float]] = {"trainer": [], "bare": []}

    def on_train_start(self, trainer: pl.Trainer, module: Classifier) -> None:
        self.bare = bare_steps(trainer, module)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.done = -1  # the first step's end begins the time

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self.done += 1
        if self.done % self.steps:
            return
        if self.done:
            self.taken["trainer"].append(time.perf_counter() - self.begun)
            begun = time.perf_counter()
            for _ in range(self.steps):
                next(self.bare)
            self.taken["bare"].append(time.perf_counter() - begun)
        if len(self.taken["bare"]) >= self.rounds + self.warm_up:
            counting = {way: seconds[self.warm_up :] for way, seconds in self.taken.items()}
            self.out.write_text(json.dumps(counting))
            trainer.should_stop = True
        self.begun = time.perf_counter()


def bare_steps(trainer: pl.Trainer, module: Classifier) -> Iterator[None]:
    """Each `next` is a training step as one would write it without a framework."""
    network = copy.deepcopy(module.network)
    losses, errors = module.train_loss.clone(), module.train_error.clone()
    batch_size = trainer.datamodule.batch_size
    optimizer = module.recipe.optimizer(network, batch_size)
    loader = trainer.datamodule.train_dataloader()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: module.recipe.learning_rate(step, len(loader)))
    while True:
        for images, labels, _ in loader:
            images, labels = (part.to(module.device, non_blocking=True) for part in (images, labels))
            with trainer.precision_plugin.forward_context():
                output = network(module.augment(module.preprocess(images)))
                loss = module.loss(output, labels)
            losses.update(loss.detach(), len(labels))
            errors.update(output.logits.detach(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield
