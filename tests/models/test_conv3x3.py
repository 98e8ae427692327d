"""The convolution that lays small maps side by side: its output and gradients are those of torch's."""

import pytest
import torch
from networks import network
from torch import nn

from lta.models import conv3x3
from lta.models.conv3x3 import Conv3x3, count_side_by_side, lay_side_by_side


@pytest.mark.parametrize(
    ("batch", "width", "count"),
    [(256, 7, 4), (256, 3, 8), (1000, 3, 8), (6, 7, 3), (7, 7, 1), (256, 15, 2), (256, 40, 1), (4, 1, 4)],
)
def test_as_many_pictures_a_row_as_fit_and_divide_the_batch(batch, width, count):
    assert count_side_by_side(batch, width) == count


def test_pictures_lie_side_by_side_with_zeros_between():
    x = torch.arange(1.0, 1 + 4 * 2 * 3 * 3).view(4, 2, 3, 3)
    laid = lay_side_by_side(x, 2)
    assert laid.shape == (2, 2, 3, 8)
    assert laid.is_contiguous(memory_format=torch.channels_last)
    for row in range(2):
        for place in range(2):
            assert torch.equal(laid[row, :, :, 4 * place : 4 * place + 3], x[2 * row + place])
    assert not laid[:, :, :, [3, 7]].any()


def differentiate(module, x, gradient):
    x = x.clone().requires_grad_()
    module.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        out = module(x)
    out.backward(gradient.to(out.dtype))
    return out.detach(), x.grad, module.weight.grad


@pytest.mark.parametrize(("batch", "height", "width"), [(8, 7, 7), (16, 3, 3), (8, 5, 2), (7, 7, 7)])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_output_and_gradients_are_torchs(monkeypatch, batch, height, width, form):
    """Values of few bits: bfloat16 holds them, and float32 adds them up, without rounding."""
    monkeypatch.setattr(conv3x3, "_has_amx", lambda: True)
    random = torch.Generator().manual_seed(0)
    ours, torchs = Conv3x3(32, 16), nn.Conv2d(32, 16, 3, padding=1, bias=False)
    with torch.no_grad():
        ours.weight.copy_(torch.randint(-2, 3, ours.weight.shape, generator=random))
    torchs.load_state_dict(ours.state_dict())
    x = torch.randint(-1, 2, (batch, 32, height, width), generator=random).float().to(memory_format=form)
    gradient = torch.randint(-1, 2, (batch, 16, height, width), generator=random).float()
    calls = []
    original = conv3x3.lay_side_by_side
    monkeypatch.setattr(conv3x3, "lay_side_by_side", lambda *given: calls.append(given) or original(*given))
    found = differentiate(ours, x, gradient)
    assert len(calls) == (0 if batch == 7 else 2), "where fewer than four fit it is torch's own"
    expected_weight = torch.nn.grad.conv2d_weight(x, ours.weight.shape, gradient, padding=1)
    torch.testing.assert_close(found[2], expected_weight, rtol=0.01, atol=0.01)
    for got, expected in zip(found, differentiate(torchs, x, gradient), strict=True):
        torch.testing.assert_close(got, expected, rtol=0.01, atol=0.01)


def test_the_compact_trunk_trains_alike(monkeypatch):
    images = torch.randn(8, 3, 32, 32)
    gradients = {}
    for there in (False, True):
        monkeypatch.setattr(conv3x3, "_has_amx", lambda there=there: there)
        built = network("model=air_wide_att3", "model.width=0.125").train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = built(images).logits
        logits.float().square().sum().backward()
        gradients[there] = [p.grad for p in built.trunk.parameters() if p.grad is not None]
    for ours, torchs in zip(gradients[True], gradients[False], strict=True):
        assert (ours - torchs).norm() <= 0.01 * torchs.norm()


@pytest.mark.parametrize("frozen", [True, False])
def test_without_a_gradient_of_the_weights_or_bfloat16_it_is_torchs_own(monkeypatch, frozen):
    monkeypatch.setattr(conv3x3, "_has_amx", lambda: True)
    monkeypatch.setattr(conv3x3._SideBySide, "apply", lambda *given: pytest.fail("not here"))
    layer = Conv3x3(4, 4).requires_grad_(not frozen)
    with torch.autocast("cpu", torch.bfloat16, enabled=frozen):
        layer(torch.randn(8, 4, 3, 3))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        layer(torch.randn(8, 4, 3, 3))
