"""Parts that do something else on a GPU, or have their own arithmetic, against what they do on the CPU."""

from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch
from on_device import DEVICE
from torch import nn

from lta.layers.compatibility import Additive, DotProduct, Parametrised
from lta.layers.dropout import LEVELS, Layers
from lta.training.lookahead import Lookahead
from lta.training.muon import Muon

pytestmark = pytest.mark.gpu

CPU = torch.device("cpu")


def make_random(seed: int = 0) -> torch.Generator:
    """Of the CPU: both devices get the same numbers."""
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_relu_and_dropout_keep_what_they_should(rate):
    """Masks are other ones than the CPU's: their share, the scale, and where gradients pass are not."""
    torch.manual_seed(0)
    layers = Layers(nn.ReLU(inplace=True), nn.Dropout(rate)).train()
    given = torch.randn(64, 32, 16, 16, generator=make_random()).to(DEVICE, memory_format=torch.channels_last)
    x = given.clone().requires_grad_()
    y = layers(x * 1)
    positive, kept = given > 0, y.detach() != 0
    assert not (kept & ~positive).any()
    count = int(positive.sum())
    share = float(kept.sum()) / count
    assert abs(share - (1 - rate)) < 5 * (rate * (1 - rate) / count) ** 0.5 + 1 / LEVELS
    torch.testing.assert_close(y.detach()[kept], given[kept] / (1 - rate), rtol=2 / LEVELS, atol=0)
    y.sum().backward()
    assert torch.equal(x.grad != 0, kept)
    assert torch.equal(layers.eval()(given.clone()).cpu(), given.relu().cpu())
    another = layers.train()(given.clone())
    assert not torch.equal(another != 0, kept), "each step draws anew"


@pytest.mark.parametrize("bfloat16", [False, True])
def test_muons_steps_are_the_cpus(bfloat16):
    moved = {}
    for device in (CPU, DEVICE):
        random = make_random(1)
        weights, plain = (
            [nn.Parameter(torch.randn(shape, generator=random).to(device)) for shape in shapes]
            for shapes in ([(64, 32, 3, 3), (64, 32, 3, 3), (40, 4, 3, 3)], [(10, 64), (10,)])
        )
        turned = {"params": weights, "orthogonal": True, "muon_momentum": 0.6, "bfloat16": bfloat16}
        optimizer = Muon([turned, {"params": plain}], lr=0.1, momentum=0.9, nesterov=True)
        for _ in range(3):
            for weight in [*weights, *plain]:
                weight.grad = torch.randn(weight.shape, generator=random).to(device)
            optimizer.step()
        moved[device.type] = [weight.detach().cpu() for weight in [*weights, *plain]]
    for found, expected in zip(moved[DEVICE.type], moved["cpu"], strict=True):
        assert ((found - expected).norm() / expected.norm()).item() < (2e-2 if bfloat16 else 1e-4)


def test_lookahead_is_the_cpus():
    averages = {}
    for device in (CPU, DEVICE):
        random = make_random(2)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to(device)
        with torch.no_grad():
            for value in network.state_dict().values():
                if value.is_floating_point():
                    value.copy_(torch.randn(value.shape, generator=random))
        module = Mock(spec=pl.LightningModule, network=network)
        trainer = Mock(spec=pl.Trainer, global_step=0, estimated_stepping_batches=10)
        lookahead = Lookahead(every=2)
        floats = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
        lookahead.load_state_dict({"average": {name: value.cpu() + 1 for name, value in floats.items()}})
        lookahead.on_train_start(trainer, module)  # what a checkpoint held on the CPU goes to the device
        for step in range(1, 11):
            trainer.global_step = step
            with torch.no_grad():
                for weight in network.parameters():
                    weight.add_(torch.randn(weight.shape, generator=random).to(device))
            lookahead.on_train_batch_end(trainer, module, None, None, step - 1)
        averages[device.type] = {name: value.cpu() for name, value in network.state_dict().items()}
        assert all(value.device.type == device.type for value in lookahead.state_dict()["average"].values())
    for name, value in averages["cpu"].items():
        torch.testing.assert_close(averages[DEVICE.type][name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [Parametrised, DotProduct, Additive])
def test_scores_are_float32_under_autocast(kind):
    """Of the same bfloat16 features both devices give scores that differ by float32's rounding, and so do gradients."""
    found = {}
    for device in (CPU, DEVICE):
        random = make_random(3)
        compat = kind(64)
        for weight in compat.parameters():
            nn.init.normal_(weight, generator=random)
        compat = compat.to(device)
        features, query = (
            torch.randn(shape, generator=random).bfloat16().to(device) for shape in [(8, 64, 16, 16), (8, 64)]
        )
        features = features.to(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast(device.type, torch.bfloat16):
            scores = compat(features, query)
        assert scores.dtype == torch.float32
        (scores * torch.randn(scores.shape, generator=random).to(device)).sum().backward()
        gradients = [features.grad, *(weight.grad for weight in compat.parameters())]
        found[device.type] = [part.detach().cpu() for part in (scores, *gradients)]
    for mine, expected in zip(found[DEVICE.type], found["cpu"], strict=True):
        assert mine.dtype == expected.dtype
        exact = 2e-5 if mine.dtype == torch.float32 else 1e-2
        assert ((mine - expected).float().norm() / expected.float().norm()).item() < exact
