"""The schedule and the optimiser of a recipe, by the numbers."""

from itertools import pairwise

import pytest
import torch

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention
from lta.training.recipes import SGDRecipe
from lta.training.schedules import Steps, WarmupCosine


def test_learning_rate_rises_then_falls_to_zero():
    recipe = SGDRecipe(epochs=10, schedule=WarmupCosine(warmup=0.2))
    rates = [recipe.learning_rate(step, steps_per_epoch=50) for step in range(501)]
    assert rates[0] == pytest.approx(1 / 101)
    assert rates[99] == pytest.approx(100 / 101)
    assert max(rates) == rates[100] == 1.0
    assert rates[300] == pytest.approx(0.5)  # half way between the peak at 100 and the end at 500
    assert rates[500] == pytest.approx(0.0, abs=1e-12)
    assert all(a > b for a, b in pairwise(rates[100:]))


def test_without_warmup_it_starts_at_the_peak():
    assert SGDRecipe(epochs=1, schedule=WarmupCosine(warmup=0.0)).learning_rate(0, 10) == 1.0


def test_norms_biases_and_scorers_are_not_decayed():
    network = vgg_attention(10, "ABC", Parametrised, width=1 / 16)
    decayed, free = SGDRecipe(epochs=1, weight_decay=0.01).optimizer(network, 128).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in free["params"]} <= {0, 1}
    assert any(network.attention["A"].compat.scorer.weight is p for p in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))


def test_one_step_by_hand():
    """Nesterov: v = g + wd p; p -= lr (v + mu v) on the first step."""
    layer = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(2.0)
    optimizer = SGDRecipe(epochs=1, lr=0.1, momentum=0.9, weight_decay=0.5).optimizer(layer, 128)
    layer.weight.grad = torch.tensor([[3.0]])
    optimizer.step()
    assert layer.weight.item() == pytest.approx(2.0 - 0.1 * (1 + 0.9) * (3.0 + 0.5 * 2.0))


def test_the_learning_rate_scales_with_the_batch():
    layer = torch.nn.Linear(2, 2)
    for lr_batch, batch_size, lr in ((128, 128, 0.1), (128, 32, 0.025), (64, 128, 0.2), (0, 32, 0.1)):
        optimizer = SGDRecipe(epochs=1, lr=0.1, lr_batch=lr_batch).optimizer(layer, batch_size)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([lr, lr])


def authors():
    schedule = Steps(step_decay=1e-7)
    return SGDRecipe(1, lr=1.0, lr_batch=0, dampening=0.9, nesterov=False, decay_vectors=True, schedule=schedule)


def test_the_authors_steps_by_torch7s_formulas():
    """optim/sgd.lua: d = g + wd x; v is d at first, then 0.9 v + 0.1 d; x -= lr / (1 + n 1e-7) v."""
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.BatchNorm1d(3).double()
    recipe = authors()
    optimizer = recipe.optimizer(layer, batch_size=64)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.learning_rate(step, 1000))
    expected = {name: p.detach().clone() for name, p in layer.named_parameters()}
    momentum = {}
    for n in range(4):
        for name, parameter in layer.named_parameters():
            gradient = torch.randn(3, dtype=torch.float64, generator=generator)
            parameter.grad = gradient
            d = gradient + 5e-4 * expected[name]
            momentum[name] = d if n == 0 else 0.9 * momentum[name] + (1 - 0.9) * d
            expected[name] = expected[name] - 1.0 / (1 + n * 1e-7) * momentum[name]
        optimizer.step()
        schedule.step()
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-13, atol=1e-14)


def test_the_authors_decay_everything_once():
    network = vgg_attention(10, "ABC", Parametrised, width=1 / 16)
    (group,) = authors().optimizer(network, 128).param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in network.parameters()}
    assert (group["lr"], group["weight_decay"], group["momentum"], group["dampening"]) == (1.0, 5e-4, 0.9, 0.9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dampening": 0.5}, "needs momentum and no dampening; here recipe.momentum=0.9 and recipe.dampening=0.5"),
        ({"momentum": 0.0}, "recipe.nesterov=true needs momentum"),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SGDRecipe(1, **options)
