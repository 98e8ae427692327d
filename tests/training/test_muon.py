"""recipe=muon: orthogonalised steps by the numbers, which parameters take them, at what rate."""

import copy

import pytest
import torch
from networks import composed, network
from torch import nn

from lta.instantiate import build
from lta.models.bare import BareConv2d
from lta.training.muon import Muon, orthogonalise_matrix
from lta.training.recipes import SGDRecipe


@pytest.mark.parametrize("shape", [(16, 27), (64, 576), (48, 9), (32, 32)])
def test_singular_values_go_near_one_and_the_directions_stay(shape):
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.linalg.svdvals(orthogonalise_matrix(matrix))
    assert found.min() > 0.6
    assert found.max() < 1.25
    turned = u.T @ orthogonalise_matrix(matrix) @ v.T  # diagonal: the same directions
    torch.testing.assert_close(turned, torch.diag(turned.diagonal()), atol=1e-9, rtol=0)


def test_it_depends_on_the_direction_of_a_gradient_alone_and_zeros_stay():
    matrix = torch.randn(8, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalise_matrix(matrix), orthogonalise_matrix(1000 * matrix), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(orthogonalise_matrix(matrix.T), orthogonalise_matrix(matrix).T)
    assert not orthogonalise_matrix(torch.zeros(3, 4)).any()


def trained(weights, gradients, lr):
    """The weights after each step, by an SGD group of a Muon."""
    weight = nn.Parameter(weights.clone())
    group = {"params": [weight], "orthogonal": True, "muon_momentum": 0.6}
    optimizer = Muon([group], lr=lr, momentum=0.9, nesterov=True)
    seen = []
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        assert weight.grad.stride() == weight.stride()  # laid out alike, so that SGD's step takes its fast path
        seen.append(weight.detach().clone())
    return seen


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (40, 4, 3, 3)])
def test_two_steps_by_the_formulas(shape, form):
    random = torch.Generator().manual_seed(2)
    start, first, second = (torch.randn(shape, dtype=torch.float64, generator=random) for _ in range(3))
    out = shape[0]
    larger = max(1.0, out / start[0].numel()) ** 0.5
    expected = start.flatten(1)
    buffer = torch.zeros_like(expected)
    seen = trained(start.to(memory_format=form), [first.to(memory_format=form), second.to(memory_format=form)], 0.1)
    for gradient, weight in zip((first.flatten(1), second.flatten(1)), seen, strict=True):
        buffer = 0.6 * buffer + gradient
        expected = expected * out**0.5 / expected.norm() - 0.1 * larger * orthogonalise_matrix(gradient + 0.6 * buffer)
        torch.testing.assert_close(weight, expected.view(shape), rtol=1e-6, atol=1e-6)
        assert weight.is_contiguous(memory_format=form)


def test_weights_of_equal_shape_are_turned_together_as_each_by_itself():
    random = torch.Generator().manual_seed(4)
    shapes = [(8, 3, 3, 3), (6, 4, 3, 3), (8, 3, 3, 3), (40, 4, 3, 3), (6, 4, 3, 3)]
    starts = [torch.randn(shape, dtype=torch.float64, generator=random) for shape in shapes]
    gradients = [[torch.randn(shape, dtype=torch.float64, generator=random) for shape in shapes] for _ in range(2)]
    weights = [nn.Parameter(start.clone()) for start in starts]
    optimizer = Muon([{"params": weights, "orthogonal": True, "muon_momentum": 0.6}], lr=0.1)
    for each in gradients:
        for weight, gradient in zip(weights, each, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    for n, weight in enumerate(weights):
        alone = trained(starts[n], [each[n] for each in gradients], 0.1)[-1]
        torch.testing.assert_close(weight.detach(), alone)


def test_in_bfloat16_and_with_fewer_rounds_a_step_goes_the_same_way():
    random = torch.Generator().manual_seed(5)
    start, gradient = (torch.randn(16, 8, 3, 3, generator=random) for _ in range(2))
    steps = {}
    for how in ({}, {"bfloat16": True}, {"rounds": 3}):
        weight = nn.Parameter(start.clone())
        weight.grad = gradient.clone()
        Muon([{"params": [weight], "orthogonal": True, "muon_momentum": 0.6, **how}], lr=0.1).step()
        assert weight.dtype == weight.grad.dtype == torch.float32
        steps[tuple(how)] = weight.grad.flatten()
    exact = steps[()]
    beside = (steps[("bfloat16",)] - exact).norm() / exact.norm()
    assert 0 < beside < 0.03
    assert 0.8 < torch.cosine_similarity(steps[("rounds",)], exact, dim=0) < 0.9999


@pytest.mark.parametrize("setting", [{"momentum": 0.5}, {"rounds": 3}, {"bfloat16": True}])
def test_settings_of_muon_without_it_are_refused(setting):
    ((name, value),) = setting.items()
    with pytest.raises(ValueError, match=f"recipe.muon_{name}={value} has no effect without recipe.muon_lr"):
        SGDRecipe(epochs=1, **{f"muon_{name}": value})
    group = SGDRecipe(epochs=1, muon_lr=0.1, **{f"muon_{name}": value}).optimizer(network("model=vgg"), 128).param_groups[-1]
    assert group[name if name != "momentum" else "muon_momentum"] == value


def test_before_a_batch_norm_only_the_steps_count_and_not_the_norm():
    """At rate 0 a step changes the weight's norm, and nothing of what the network computes."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-12)).double()
    images = torch.randn(4, 3, 6, 6, dtype=torch.float64)
    before = block(images)
    (after,) = trained(block[0].weight.detach(), [torch.randn(8, 3, 3, 3, dtype=torch.float64)], 0.0)
    assert after.norm().item() == pytest.approx(8**0.5)
    assert after.norm().item() != pytest.approx(block[0].weight.norm().item())
    block[0].weight = nn.Parameter(after)
    torch.testing.assert_close(block(images), before)


def test_a_weight_without_a_gradient_stays():
    start = torch.randn(4, 2, 3, 3)
    weight = nn.Parameter(start.clone())
    Muon([{"params": [weight], "orthogonal": True, "muon_momentum": 0.6}], lr=0.1).step()
    assert torch.equal(weight, start)


def test_other_groups_are_sgds():
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    two.load_state_dict(one.state_dict())
    ours = Muon(one.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    torchs = torch.optim.SGD(two.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for step in range(3):
        for net, optimizer in ((one, ours), (two, torchs)):
            net(torch.full((1, 3), 1.0 + step)).square().sum().backward()
            optimizer.step()
    assert torch.equal(one.weight, two.weight)


def test_a_saved_optimizer_goes_on_exactly():
    random = torch.Generator().manual_seed(3)
    start = torch.randn(6, 4, 3, 3, generator=random)
    gradients = [torch.randn(6, 4, 3, 3, generator=random) for _ in range(4)]

    def group(weight):
        return [{"params": [weight], "orthogonal": True, "muon_momentum": 0.6}]

    first = nn.Parameter(start.clone())
    optimizer = Muon(group(first), lr=0.1, momentum=0.9, nesterov=True)
    for gradient in gradients[:2]:
        first.grad = gradient.clone()
        optimizer.step()
    second = nn.Parameter(first.detach().clone())
    other = Muon(group(second), lr=0.1, momentum=0.9, nesterov=True)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for weight, kept in ((first, optimizer), (second, other)):
        for gradient in gradients[2:]:
            weight.grad = gradient.clone()
            kept.step()
    assert torch.equal(first, second)


@pytest.mark.parametrize("model", ["vgg_att3", "air_att3", "rn_att2", "vgg_pan"])
def test_every_trained_parameter_is_in_one_group_and_only_wide_kernels_are_turned(model):
    built = network(f"model={model}")
    optimizer = build(composed(f"model={model}", "recipe=muon", "data=cifar10").recipe).optimizer(built, 128)
    assert isinstance(optimizer, Muon)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in built.parameters() if p.requires_grad)
    turned = [p for group in optimizer.param_groups if group.get("orthogonal") for p in group["params"]]
    assert turned
    assert all(p.ndim == 4 and p.shape[-1] > 1 for p in turned)
    others = [p for group in optimizer.param_groups if not group.get("orthogonal") for p in group["params"]]
    assert all(p.ndim < 4 or p.shape[-1] == 1 for p in others)


@pytest.mark.parametrize(
    ("settings", "bare"), [(("model=rn_att1", "compat=dp"), 2), (("model=air", "model.whiten=false"), 1)]
)
def test_at_rate_zero_a_step_changes_no_network(settings, bare):
    """Norms matter where no batch norm follows: such convolutions are left to SGD."""
    small = ("model.width=0.25", *(("model.depth=20",) if "rn" in settings[0] else ()))
    built = network(*settings, *small).train()
    torch.manual_seed(0)
    images = torch.randn(8, 3, 32, 32)
    before = built(images).logits
    before.square().sum().backward()
    optimizer = SGDRecipe(epochs=1, lr=1e-12, muon_lr=1e-12).optimizer(built, 128)
    optimizer.step()
    torch.testing.assert_close(built(images).logits, before, rtol=0.01, atol=0.01 * before.detach().std().item())
    left = [module for module in built.modules() if isinstance(module, BareConv2d)]
    assert len(left) == bare


def test_frozen_convolutions_are_left_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    net[0].requires_grad_(False)
    groups = SGDRecipe(epochs=1, muon_lr=0.1).optimizer(net, 128).param_groups
    assert [p is net[1].weight for group in groups if group.get("orthogonal") for p in group["params"]] == [True]
    assert not any(p is net[0].weight for group in groups for p in group["params"])


@pytest.mark.parametrize(("lr_batch", "batch", "scale"), [(128, 128, 1.0), (128, 512, 2.0), (128, 32, 0.5), (0, 512, 1.0)])
def test_its_rate_goes_with_the_root_of_the_batch(lr_batch, batch, scale):
    recipe = SGDRecipe(epochs=1, lr=0.1, lr_batch=lr_batch, muon_lr=0.07, muon_momentum=0.5)
    (turned,) = [group for group in recipe.optimizer(network("model=vgg"), batch).param_groups if group.get("orthogonal")]
    assert turned["lr"] == pytest.approx(0.07 * scale)
    assert (turned["muon_momentum"], turned["momentum"], turned["nesterov"], turned["weight_decay"]) == (0.5, 0, False, 0)
