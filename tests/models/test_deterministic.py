"""No network's gradient takes an operator that torch refuses on GPUs with `trainer.deterministic=true`."""

import re

import pytest
import torch
from networks import network, tiny
from torch import nn

from lta.cli.plugins import CONF

REFUSED = re.compile(
    "Adaptive(Avg|Max)Pool|AvgPool3D|FractionalMaxPool|MaxUnpool|Upsample(?!Nearest)|ReflectionPad|NllLoss2D|Put|GridSampler"
)
"""Backward nodes of what the documentation of torch.use_deterministic_algorithms says will raise on a CUDA tensor."""


@pytest.fixture(autouse=True)
def asked_for():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def operators(output):
    """The names of all nodes that the gradient of `output` goes through."""
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return {type(node).__name__ for node in seen}


def refused(output):
    return {name for name in operators(output) if REFUSED.match(name)}


@pytest.mark.parametrize("pool", [nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(2)], ids=str)
def test_they_are_found(pool):
    assert refused(2 * pool(torch.zeros(1, 1, 4, 4, requires_grad=True)))


@pytest.mark.parametrize("model", sorted(path.stem for path in CONF.glob("model/*.yaml")))
def test_the_gradient(model):
    trained = ("model.backbone.train=all",) if model.startswith("backbone") else ()
    output = network(f"model={model}", *tiny(model), *trained)(torch.randn(4, 3, 32, 32))
    loss = nn.functional.cross_entropy(output.logits, torch.arange(4))
    assert "ConvolutionBackward0" in operators(loss)
    assert refused(loss) == set()


def test_the_gradient_of_80x80():
    output = network("model=vgg_att3", "model.pools=cub", *tiny("vgg_att3"))(torch.randn(4, 3, 80, 80))
    assert refused(output.logits) == set()
