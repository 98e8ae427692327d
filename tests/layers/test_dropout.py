"""ReLU and dropout in one: torch's result and gradients, independent masks at the rate asked for, and where it stays out."""

import pytest
import torch
from torch import nn

from lta.layers import dropout
from lta.layers.compatibility import Parametrised
from lta.layers.dropout import LEVELS, PART, Layers, is_applicable, relu_dropout
from lta.models.resnet_family import resnet_attention
from lta.models.vgg_family import vgg, vgg_attention, vgg_late

RATES = (0.3, 0.4, 0.5)


def plain(x, rate, inplace=False):
    """The same masks, by torch's own operators."""
    mask = torch.ones_like(x)
    kept = dropout._count_kept(rate)
    dropout._apply_mask(mask.as_strided((mask.numel(),), (1,)), kept)
    return x.relu() * (mask != 0) * (dropout.LEVELS / kept)


@pytest.mark.parametrize("dtype", dropout.DTYPES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("inplace", [False, True])
def test_result_and_gradient_are_those_of_relu_times_mask(dtype, memory_format, inplace):
    given = torch.randn(4, 6, 5, 7, dtype=dtype).to(memory_format=memory_format)
    weights = torch.randn_like(given)
    results = []
    for function in (relu_dropout, plain):
        x = given.clone().requires_grad_()
        torch.manual_seed(0)
        y = function(x * 1, 0.4, inplace)
        assert y.stride() == given.stride()
        (gradient,) = torch.autograd.grad((y * weights).sum(), x)
        results.append((y.detach(), gradient))
    torch.testing.assert_close(results[0], results[1])
    y = results[0][0]
    kept = (y != 0) & (given > 0)
    torch.testing.assert_close(y[kept], (given.relu() * LEVELS / round(0.6 * LEVELS))[kept])
    assert 0.4 < kept.sum() / (given > 0).sum() < 0.8


def test_only_in_place_is_the_argument_overwritten():
    x = torch.randn(3, 7)
    before = x.clone()
    relu_dropout(x, 0.5)
    assert torch.equal(x, before)
    y = relu_dropout(x, 0.5, inplace=True)
    assert y.data_ptr() == x.data_ptr()


def test_gradients_of_both_orders_are_right():
    def seeded(x):
        torch.manual_seed(3)
        return relu_dropout(x, 0.3)

    x = torch.randn(40, dtype=torch.float64)
    x = (x + 0.1 * x.sign()).requires_grad_()  # away from ReLU's corner
    assert torch.autograd.gradcheck(seeded, x)
    assert torch.autograd.gradgradcheck(seeded, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_learns_the_same_with_it(monkeypatch, dtype):
    torch.manual_seed(0)
    network = vgg_late(10, width=0.125).to(memory_format=torch.channels_last)
    images = torch.randn(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    results = []
    for function in (relu_dropout, plain):
        monkeypatch.setattr(dropout, "relu_dropout", function)
        torch.manual_seed(1)
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            logits = network(images).logits.float()
        logits.square().sum().backward()
        results.append([logits.detach(), *(p.grad.clone() for p in network.parameters())])
    torch.testing.assert_close(results[0], results[1])


def test_of_all_random_numbers_exactly_the_share_asked_for_is_kept(monkeypatch):
    every = torch.arange(-(LEVELS // 2), LEVELS // 2, dtype=torch.int16)
    monkeypatch.setattr(torch.Tensor, "random_", lambda self, low, high: self.copy_(every.view(torch.int64)))
    for rate in RATES:
        kept = relu_dropout(torch.ones(LEVELS), rate) > 0
        assert abs(kept.double().mean().item() - (1 - rate)) <= 2**-17
        assert relu_dropout(torch.ones(LEVELS, dtype=torch.float64), rate).mean().item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("rate", RATES)
def test_masks_are_independent(rate):
    torch.manual_seed(0)
    size = 2 * PART + 4001  # parts of several sizes, the last not a multiple of four
    masks = torch.stack([relu_dropout(torch.ones(size), rate) for _ in range(4)]) > 0
    centred = masks.double() - (1 - rate)
    variance = rate * (1 - rate)
    assert abs(centred.mean().item()) < 5 * (variance / masks.numel()) ** 0.5
    for lag in (*range(1, 9), 64, 1024, PART):  # neighbours share a random number of 64 bits
        product = centred[:, lag:] * centred[:, :-lag]
        assert abs(product.mean().item()) < 5 * variance / product.numel() ** 0.5, lag
    for one in range(4):
        for other in range(one):
            assert abs((centred[one] * centred[other]).mean().item()) < 5 * variance / size**0.5
    # All patterns of eight neighbours, two numbers of 64 bits, are as frequent as independent draws make them.
    groups = masks[:, : size // 8 * 8].reshape(-1, 8).long()
    found = torch.bincount((groups * 2 ** torch.arange(8)).sum(1), minlength=256).double()
    ones = torch.tensor([bin(pattern).count("1") for pattern in range(256)], dtype=torch.float64)
    expected = len(groups) * (1 - rate) ** ones * rate ** (8 - ones)
    chi_square = ((found - expected) ** 2 / expected).sum().item()
    assert 255 - 5 * 510**0.5 < chi_square < 255 + 5 * 510**0.5


def test_torchs_seed_alone_decides_the_mask():
    x = torch.ones(2, 16, 128, 128)
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2, 1):
            torch.set_num_threads(number)
            torch.manual_seed(7)
            results.append((relu_dropout(x, 0.5), relu_dropout(x, 0.5)))
    finally:
        torch.set_num_threads(threads)
    for first, second in results:
        assert torch.equal(first, results[0][0])
        assert torch.equal(second, results[0][1])
        assert not torch.equal(first, second)


def test_the_result_is_all_that_is_kept_for_the_backward_pass():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        y = relu_dropout(torch.randn(100, requires_grad=True), 0.5)
    assert [tensor.data_ptr() for tensor in saved] == [y.data_ptr()]


@pytest.fixture
def taken(monkeypatch):
    """How often the fast path was taken."""
    calls = []
    monkeypatch.setattr(dropout, "relu_dropout", lambda x, *rest: calls.append(x) or relu_dropout(x, *rest))
    return calls


def test_it_takes_a_relu_and_the_dropout_behind_it(taken):
    layers = Layers(nn.Linear(200, 200), nn.ReLU(), nn.Dropout(0.5), nn.ReLU(), nn.Linear(200, 200), nn.Dropout(0.5))
    assert layers(torch.randn(100, 200)).shape == (100, 200)
    assert len(taken) == 1
    assert [*layers.state_dict()] == ["0.weight", "0.bias", "4.weight", "4.bias"]


@pytest.mark.parametrize(
    ("pair", "x"),
    [
        ((nn.ReLU(), nn.Dropout(0.0)), torch.ones(200, 100)),
        ((nn.ReLU(), nn.Dropout(1.0)), torch.ones(200, 100)),
        ((nn.ReLU(), nn.Dropout(0.5).eval()), torch.ones(200, 100)),
        ((nn.ReLU(), nn.Dropout2d(0.5)), torch.ones(20, 10, 10, 10)),
        ((nn.GELU(), nn.Dropout(0.5)), torch.ones(200, 100)),
        ((nn.ReLU(), nn.Dropout(0.5)), torch.ones(200, 100, dtype=torch.float16)),
        ((nn.ReLU(), nn.Dropout(0.5)), torch.ones(200, 200)[:, ::2]),
        ((nn.ReLU(), nn.Dropout(0.5)), torch.ones(1, 100).expand(200, 100)),
        ((nn.ReLU(), nn.Dropout(0.5)), torch.ones(20, 20)),
    ],
    ids=["rate 0", "rate 1", "dropout off", "channels", "GELU", "float16", "strided", "expanded", "small"],
)
def test_what_it_does_not_take_goes_the_plain_way(taken, pair, x):
    layers = Layers(*pair)
    torch.manual_seed(0)
    ours = layers(x)
    torch.manual_seed(0)
    torch.testing.assert_close(ours, pair[1](pair[0](x)))
    assert not taken


def test_evaluation_compilation_hooks_and_other_devices_go_the_plain_way(taken, monkeypatch):
    layers = Layers(nn.ReLU(), nn.Dropout(0.5))
    x = torch.randn(200, 100)
    assert torch.equal(layers.eval()(x), x.relu())
    layers.train()
    assert layers.to("meta")(x.to("meta")).shape == x.shape
    seen = []
    hook = layers[1].register_forward_hook(lambda *arguments: seen.append(arguments))
    layers(x)
    assert len(seen) == 1
    hook.remove()
    with monkeypatch.context() as patch:
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        layers(x)
    assert not taken
    layers(x)
    assert len(taken) == 1


def transformed_by_func(layers, x):
    parameters = dict(layers.named_parameters())

    def loss(parameters, x):
        return torch.func.functional_call(layers, parameters, (x,)).square().sum()

    return torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0), randomness="different")(
        parameters, x.expand(3, 200, 200)
    )


@pytest.mark.parametrize(
    "look",
    [
        lambda layers, x: torch.fx.symbolic_trace(layers)(x),
        lambda layers, x: torch.jit.trace(layers, x, check_trace=False)(x),
        lambda layers, x: torch.compile(layers, backend="eager", fullgraph=True)(x),
        lambda layers, x: torch.export.export(layers, (x,)).module()(x),
        lambda layers, x: torch.func.jvp(layers, (x,), (x,)),
        transformed_by_func,
    ],
    ids=["fx", "jit.trace", "compile", "export", "jvp", "vmap of grad"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_torchs_tools_see_its_own_operators(taken, look):
    layers = Layers(nn.Linear(200, 200), nn.ReLU(), nn.Dropout(0.5)).train()
    look(layers, torch.randn(200, 200))
    assert not taken


@pytest.mark.parametrize(
    ("network", "pairs"),
    [
        (lambda: vgg(10, width=0.125), 8 + 1),  # convolutions 1, 3, 5, 6, 8, 9, 11, 12; before the last linear layer
        (lambda: vgg_late(10, width=0.125), 8 + 2 + 1),  # ... of g's branch; before the last linear layer
        (lambda: vgg_attention(10, "ABC", Parametrised, width=0.125), 8 + 2 + 1 + 3),  # ... the query's, the three levels'
        (lambda: resnet_attention(10, "BC", Parametrised, depth=11, width=0.125), 1 + 1 + 2),
    ],
    ids=["vgg", "vgg_late", "vgg_att3", "rn_att2"],
)
def test_the_networks_take_it_wherever_dropout_follows_a_relu(taken, monkeypatch, network, pairs):
    monkeypatch.setattr(dropout, "SMALLEST", 1)
    network().train()(torch.randn(4, 3, 32, 32))
    assert len(taken) == pairs


@pytest.mark.parametrize("rate", [0.0, 2**-18, 1 - 2**-18, 1.0])
def test_rates_that_16_bits_can_not_tell_are_left_to_torch(rate):
    assert not is_applicable(torch.ones(200, 100), rate)
    assert is_applicable(torch.ones(200, 100), 0.5)
