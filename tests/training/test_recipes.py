"""The schedule and the optimiser of a recipe, by the numbers."""

import math
from itertools import pairwise

import pytest
import torch

from lta.layers.compatibility import Parametrised
from lta.models.output import NetworkOutput
from lta.models.vgg_family import vgg_attention
from lta.training.recipes import FastRecipe


def test_learning_rate_rises_then_falls_to_zero():
    recipe = FastRecipe(epochs=10, warmup=0.2)
    rates = [recipe.learning_rate(step, steps_per_epoch=50) for step in range(501)]
    assert rates[0] == pytest.approx(1 / 101)
    assert rates[99] == pytest.approx(100 / 101)
    assert max(rates) == rates[100] == 1.0
    assert rates[300] == pytest.approx(0.5)  # half way between the peak at 100 and the end at 500
    assert rates[500] == pytest.approx(0.0, abs=1e-12)
    assert all(a > b for a, b in pairwise(rates[100:]))


def test_without_warmup_it_starts_at_the_peak():
    assert FastRecipe(epochs=1, warmup=0.0).learning_rate(0, 10) == 1.0


def test_norms_biases_and_scorers_are_not_decayed():
    network = vgg_attention(10, "ABC", Parametrised, width=1 / 16)
    decayed, free = FastRecipe(epochs=1, weight_decay=0.01).optimizer(network, 128).param_groups
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
    optimizer = FastRecipe(epochs=1, lr=0.1, momentum=0.9, weight_decay=0.5).optimizer(layer, 128)
    layer.weight.grad = torch.tensor([[3.0]])
    optimizer.step()
    assert layer.weight.item() == pytest.approx(2.0 - 0.1 * (1 + 0.9) * (3.0 + 0.5 * 2.0))


def test_the_learning_rate_scales_with_the_batch():
    layer = torch.nn.Linear(2, 2)
    for lr_batch, batch_size, lr in ((128, 128, 0.1), (128, 32, 0.025), (64, 128, 0.2), (0, 32, 0.1)):
        optimizer = FastRecipe(epochs=1, lr=0.1, lr_batch=lr_batch).optimizer(layer, batch_size)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([lr, lr])


def test_label_smoothing_by_hand():
    output = NetworkOutput(torch.tensor([[math.log(3.0), 0.0]]), {}, {}, {}, None)
    p = torch.tensor([0.75, 0.25])
    expected = -(0.95 * p[0].log() + 0.05 * p[1].log())
    loss = FastRecipe(epochs=1, label_smoothing=0.1).loss(output, torch.tensor([0]))
    torch.testing.assert_close(loss, expected)
