"""Gradients of several batches in one step: rates and steps are those of the larger batch."""

import pytest
import pytorch_lightning as pl
from commands import TINY, train

from lta.training.recipes import SGDRecipe


class Rates(pl.Callback):
    """The learning rate of each step, and how many there were."""

    seen: list[float]

    def on_train_start(self, trainer, module):
        Rates.seen = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        Rates.seen.append(optimizer.param_groups[0]["lr"])

    def on_train_end(self, trainer, module):
        assert trainer.global_step == len(Rates.seen)


def test_the_schedule_counts_steps_and_not_batches(tmp_path):
    """5 batches an epoch, 2 a step: 3 steps, the last of a single batch."""
    train(
        *(*TINY, "recipe.epochs=2", "recipe.lr=0.1", "data.train_size=160", "+trainer.accumulate_grad_batches=2"),
        *(f"+callbacks.rates._target_={__name__}.Rates", f"trust={__name__}.Rates", f"hydra.run.dir={tmp_path}"),
    )
    recipe = SGDRecipe(2, lr=0.1)
    base = 0.1 * 64 / recipe.lr_batch
    assert Rates.seen == pytest.approx([base * recipe.learning_rate(step, 3) for step in range(6)])
