"""The largest value over all positions."""

import pytest
import torch
from torch import nn

from lta.layers.global_max import GlobalMax


@pytest.fixture(params=[False, True], ids=["as it is", "deterministic"])
def deterministic(request):
    torch.use_deterministic_algorithms(request.param)
    yield request.param
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_it_is_torchs_pool():
    x = torch.randn(3, 5, 4, 6, dtype=torch.float64)
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    weights = torch.randn(3, 5, 1, 1, dtype=torch.float64)
    for given, layer in ((ours, GlobalMax()), (theirs, nn.AdaptiveMaxPool2d(1))):
        (layer(given) * weights).sum().backward()
    assert torch.equal(GlobalMax()(x), nn.AdaptiveMaxPool2d(1)(x))
    assert torch.equal(ours.grad, theirs.grad)


def test_equal_positions_share_the_gradient_where_it_is_to_be_deterministic(deterministic):
    x = torch.tensor([[[[3.0, 1.0], [3.0, 2.0]]]], requires_grad=True)
    GlobalMax()(x).sum().backward()
    assert x.grad.tolist() == [[[[0.5, 0.0], [0.5, 0.0]]] if deterministic else [[[1.0, 0.0], [0.0, 0.0]]]]
