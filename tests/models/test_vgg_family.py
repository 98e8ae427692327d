"""The networks against the authors' specification: parameters to the unit, map shapes, which query acts."""

from functools import partial

import pytest
import torch

from lta.layers.compatibility import Additive, DotProduct, Parametrised
from lta.layers.heads import ConcatHead, IndependentHead
from lta.models.controls import GAPNet
from lta.models.vgg_family import vgg, vgg_attention, vgg_gap, vgg_late

TINY = {"width": 1 / 16, "dropout": 0.0}
SCALED = partial(DotProduct, scaled=True)

COUNTS = [
    (vgg, {}, 14_991_946, 15_038_116),
    (vgg_late, {}, 19_713_610, 19_759_780),
    (vgg_gap, {}, 14_728_266, 14_774_436),
    (vgg_attention, {"levels": "C", "compat": Parametrised}, 19_714_123, 19_760_293),
    (vgg_attention, {"levels": "C", "compat": DotProduct}, 19_713_610, 19_759_780),
    (vgg_attention, {"levels": "BC", "compat": Parametrised}, 19_720_780, 19_813_030),
    (vgg_attention, {"levels": "BC", "compat": DotProduct}, 19_719_754, 19_812_004),
    (vgg_attention, {"levels": "BC", "compat": Parametrised, "head": IndependentHead}, 19_720_790, 19_813_130),
    (vgg_attention, {"levels": "BC", "compat": DotProduct, "head": IndependentHead}, 19_719_764, 19_812_104),
    (vgg_attention, {"levels": "ABC", "compat": Parametrised}, 19_856_461, 19_971_751),
    (vgg_attention, {"levels": "ABC", "compat": Parametrised, "head": IndependentHead}, 19_856_481, 19_971_951),
]


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("builder", "options", "ten", "hundred"), COUNTS)
def test_parameters_equal_the_authors_to_the_unit(builder, options, ten, hundred):
    with torch.device("meta"):
        assert count(builder(10, **options)) == ten
        assert count(builder(100, **options)) == hundred


def test_the_dead_branch_is_5116672_of_19856461_parameters():
    with torch.device("meta"):
        whole = vgg_attention(10, "ABC", Parametrised)
        pruned = vgg_attention(10, "ABC", Parametrised, prune_inert_query=True)
    assert whole.inert_parameters == count(whole) - count(pruned) == 5_116_672
    assert pruned.inert_parameters == 0


@pytest.mark.parametrize("size", [(32, 32), (48, 48), (64, 40), (96, 96)])
def test_map_shapes_and_sums(size):
    network = vgg_attention(7, "ABC", Parametrised, init={"scorer": "author"}, **TINY).eval()
    output = network(torch.randn(2, 3, *size))
    assert output.logits.shape == (2, 7)
    for level, stride in (("A", 1), ("B", 2), ("C", 4)):
        assert output.attn[level].shape == (2, size[0] // stride, size[1] // stride)
        torch.testing.assert_close(output.attn[level].sum((1, 2)), torch.ones(2))


@pytest.mark.parametrize("build", [vgg, vgg_late, vgg_gap])
@pytest.mark.parametrize("size", [32, 50, 96])
def test_controls_take_any_size(build, size):
    assert build(7, **TINY).eval()(torch.randn(2, 3, size, size)).logits.shape == (2, 7)


def double(compat, levels="ABC", **options):
    torch.manual_seed(0)
    return vgg_attention(5, levels, compat, init={"scorer": "author"}, **TINY, **options).double().eval()


@pytest.mark.parametrize("head", [ConcatHead, IndependentHead])
@pytest.mark.parametrize("levels", ["C", "BC", "ABC"])
def test_with_softmax_pc_the_query_is_inert(levels, head):
    network = double(Parametrised, levels, head=head)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    query = torch.randn(3, network.trunk.channels["C"], dtype=torch.float64, requires_grad=True)
    own, other = network(images), network(images, query)
    for level in levels:
        assert (own.attn[level] - other.attn[level]).abs().max() < 1e-14
        assert own.attn[level].std() > 1e-4, "a constant map would pass the test above"
    assert (own.logits - other.logits).abs().max() < 1e-12
    (gradient,) = torch.autograd.grad(other.logits.square().sum(), query)
    assert gradient.abs().max() < 1e-12
    assert network.inert_levels == tuple(levels)


@pytest.mark.parametrize(("compat", "options"), [
    (DotProduct, {}), (SCALED, {}), (Additive, {}), (Parametrised, {"normaliser": "sigmoid"}),
])  # fmt: skip
def test_elsewhere_the_query_acts_at_every_level(compat, options):
    network = double(compat, **options)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    query = torch.randn(3, network.trunk.channels["C"], dtype=torch.float64, requires_grad=True)
    own, other = network(images), network(images, query)
    for level in "ABC":
        assert (own.attn[level] - other.attn[level]).abs().max() > 1e-6
        (gradient,) = torch.autograd.grad(other.attn[level].square().sum(), query, retain_graph=True)
        assert gradient.abs().max() > 1e-9
    assert network.inert_levels == ()
    assert network.acting_levels == ("A", "B", "C")


@pytest.mark.parametrize("levels", ["C", "BC", "ABC"])
def test_pruning_the_inert_query_changes_neither_logits_nor_gradients(levels):
    whole = double(Parametrised, levels).train()
    pruned = double(Parametrised, levels, prune_inert_query=True).train()
    missing, unexpected = pruned.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    assert all("global_branch" in key or "project" in key for key in unexpected)
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    for network in (whole, pruned):
        network.output = network(images)
        torch.nn.functional.cross_entropy(network.output.logits, labels).backward()
    torch.testing.assert_close(whole.output.logits, pruned.output.logits, rtol=0, atol=1e-12)
    in_whole = dict(whole.named_parameters())
    for name, parameter in pruned.named_parameters():
        torch.testing.assert_close(parameter.grad, in_whole[name].grad, rtol=0, atol=1e-12)


def test_pruning_is_refused_where_the_query_acts():
    for compat, options in ((DotProduct, {}), (Parametrised, {"normaliser": "sigmoid"})):
        with pytest.raises(ValueError, match="prune_inert_query=true is only for networks whose query is inert"):
            vgg_attention(5, "C", compat, prune_inert_query=True, **TINY, **options)


def test_unpruned_every_parameter_stays_in_the_graph():
    """DDP and weight decay treat the dead branch as the authors' code does."""
    network = vgg_attention(5, "ABC", Parametrised, **TINY)
    network(torch.randn(4, 3, 32, 32)).logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_pc_starts_from_uniform_maps():
    output = vgg_attention(5, "ABC", Parametrised, **TINY)(torch.randn(2, 3, 32, 32))
    assert all(torch.equal(attn, torch.full_like(attn, 1 / attn[0].numel())) for attn in output.attn.values())


def test_the_authors_initialisation():
    torch.manual_seed(0)
    network = vgg_attention(10, "ABC", Parametrised, init={"scorer": "author", "batchnorm": "uniform"})
    u = torch.cat([unit.compat.scorer.weight for unit in network.attention.values()])
    assert u.std().item() == pytest.approx(2**0.5, rel=0.05)
    gains = torch.cat([m.weight for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)])
    assert gains.min() >= 0
    assert gains.max() <= 1
    assert gains.mean().item() == pytest.approx(0.5, abs=0.06)
    assert network.trunk.stages["A"][0].bias.abs().max() == 0
    last = [m for m in network.trunk.stages["C"] if isinstance(m, torch.nn.Conv2d)][-1]
    assert last.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)
    linear = network.head.classifier
    assert linear.weight.abs().max() <= 1280**-0.5
    assert linear.bias.abs().max() <= 1280**-0.5
    assert network.trunk.stages["A"][1].eps == 1e-3
    assert network.head.blocks[0][0].eps == 1e-5


def test_dropout_sits_where_the_authors_put_it_and_scales():
    def rates(network):
        return [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]

    with torch.device("meta"):
        trunk = [0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
        assert rates(vgg_late(10).trunk) == trunk
        assert rates(vgg_late(10, dropout=0.5).trunk) == [p / 2 for p in trunk]
        assert set(rates(vgg_late(10, dropout=0.0))) <= {0.0}


def test_gap_maps_are_the_class_activation_map():
    network = vgg_gap(6, **TINY).eval()
    output = network(torch.randn(3, 3, 32, 32))
    assert isinstance(network, GAPNet)
    predicted = output.logits.argmax(1)
    expected = output.logits.gather(1, predicted[:, None]).squeeze(1) - network.classifier.bias[predicted]
    torch.testing.assert_close(output.scores["C"].mean((1, 2)), expected)
    torch.testing.assert_close(output.attn["C"].sum((1, 2)), torch.ones(3))
    assert not output.attn["C"].requires_grad


def test_gap_map_is_uniform_where_the_class_has_no_positive_evidence():
    network = vgg_gap(6, **TINY).eval()
    torch.nn.init.constant_(network.classifier.weight, -1.0)
    attn = network(torch.randn(2, 3, 32, 32)).attn["C"]
    torch.testing.assert_close(attn, torch.full_like(attn, 1 / 64))


@pytest.mark.parametrize(("options", "message"), [
    ({"width": 0}, "width=0"), ({"width": -1.0}, "width=-1"), ({"width": 0.001}, "width=0.001 leaves 0.064 of 64 channels"),
    ({"dropout": 2.0}, r"dropout=2.0 must be a number in \[0, 2\)"), ({"dropout": -0.1}, "dropout=-0.1"),
    ({"init": {"scorer": "ones"}}, "init.scorer=ones is unknown; choose one of zero, author"),
    ({"init": {"batchnorm": "x"}}, "init.batchnorm=x is unknown"),
    ({"levels": "D"}, "levels=D must name different ones of A, B, C"), ({"levels": ""}, "levels="),
    ({"levels": "CC"}, "levels="),
])  # fmt: skip
def test_wrong_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        vgg_attention(10, **{"levels": "C", "compat": Parametrised, **options})


def test_a_pruned_network_has_no_query_to_replace():
    network = vgg_attention(5, "C", Parametrised, prune_inert_query=True, **TINY)
    with pytest.raises(ValueError, match="no query that could be replaced"):
        network(torch.randn(1, 3, 32, 32), torch.randn(1, 32))
