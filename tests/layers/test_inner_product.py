import pytest
import torch

from lta.layers import inner_product as module
from lta.layers.compatibility import DotProduct, Frozen, Parametrised
from lta.layers.inner_product import inner_product


def plain(positions, vector):
    return (positions.to(vector.dtype) * vector.unsqueeze(-2)).sum(2)


def given(each, dtype=torch.bfloat16, batch=5, layout=torch.channels_last):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(batch, 7, 3, 4, generator=generator).to(dtype).contiguous(memory_format=layout)
    vector = torch.randn((batch, 7) if each else 7, generator=generator)
    return maps.flatten(2).transpose(1, 2).detach().requires_grad_(), vector.requires_grad_()


@pytest.mark.parametrize("part", [1, 2 * 12 * 7, 1 << 18])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("each", [False, True])
def test_values_and_gradients_are_those_of_the_plain_form(monkeypatch, each, dtype, layout, part):
    monkeypatch.setattr(module, "PART", part)
    inputs = given(each, dtype, layout=layout)
    weight = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    scores, expected = inner_product(*inputs), plain(*inputs)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    gradients, wanted = (torch.autograd.grad((s * weight).sum(), inputs) for s in (scores, expected))
    assert gradients[0].dtype == dtype
    torch.testing.assert_close(gradients[0], wanted[0], rtol=0, atol=0)
    torch.testing.assert_close(gradients[1], wanted[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("each", [False, True])
def test_a_gradient_of_the_gradient(each):
    positions, vector = given(each, torch.float32)
    inputs = positions, vector.detach().double().requires_grad_()
    weight = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    found = []
    for product in (inner_product, plain):
        first = torch.autograd.grad((product(*inputs).square() * weight).sum(), inputs, create_graph=True)
        found.append(torch.autograd.grad(sum(g.square().sum() for g in first), inputs))
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("wanted", [0, 1])
def test_one_gradient_alone(wanted):
    inputs = [x.detach().requires_grad_(place == wanted) for place, x in enumerate(given(each=True))]
    inner_product(*inputs).sum().backward()
    assert [x.grad is not None for x in inputs] == [place == wanted for place in (0, 1)]


def test_no_images():
    positions, vector = given(each=False, batch=0)
    scores = inner_product(positions, vector)
    assert scores.shape == (0, 12)
    scores.sum().backward()
    assert not vector.grad.any()


@pytest.mark.parametrize("compat", [Parametrised, DotProduct, Frozen])
def test_no_copy_in_full_precision_is_kept_for_the_backward_pass(compat):
    kept = []
    maps = torch.randn(4, 8, 6, 6).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()
    query = torch.randn(4, 8).bfloat16().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        scores = compat(8)(maps, query)
    assert scores.dtype == torch.float32
    assert not [x for x in kept if x.dtype == torch.float32 and x.numel() >= maps.numel()]
    assert any(x.untyped_storage().data_ptr() == maps.untyped_storage().data_ptr() for x in kept)


def test_torch_looks_into_it(shapes_unchecked):
    positions, vector = given(each=False)
    compiled = torch.compile(inner_product, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(positions, vector), plain(positions, vector))
    of_vector = torch.func.grad(lambda v: inner_product(positions, v).square().sum())(vector)
    (expected,) = torch.autograd.grad(plain(positions, vector).square().sum(), vector)
    torch.testing.assert_close(of_vector, expected)
