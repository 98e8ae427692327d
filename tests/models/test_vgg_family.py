"""The VGG networks in detail: initialisation, dropout, controls, the query elsewhere than in pc with softmax."""

from functools import partial

import pytest
import torch

from lta.layers.compatibility import Additive, DotProduct, Parametrised
from lta.models.controls import GAPNet
from lta.models.vgg_family import vgg_attention, vgg_gap, vgg_late

TINY = {"width": 1 / 16, "dropout": 0.0}
SCALED = partial(DotProduct, scaled=True)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_the_dead_branch_is_5116672_of_19856461_parameters():
    with torch.device("meta"):
        whole = vgg_attention(10, "ABC", Parametrised)
        pruned = vgg_attention(10, "ABC", Parametrised, prune_inert_query=True)
    assert whole.inert_parameters == count(whole) - count(pruned) == 5_116_672
    assert pruned.inert_parameters == 0


def double(compat, levels="ABC", **options):
    torch.manual_seed(0)
    return vgg_attention(5, levels, compat, init={"scorer": "author"}, **TINY, **options).double().eval()


@pytest.mark.parametrize(
    ("compat", "options"),
    [
        (DotProduct, {}),
        (SCALED, {}),
        (Additive, {}),
        (Parametrised, {"normaliser": "sigmoid"}),
    ],
)
def test_elsewhere_the_query_acts_at_every_level(compat, options):
    network = double(compat, **options)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    query = torch.randn(3, network.trunk.channels["C"], dtype=torch.float64, requires_grad=True)
    own, other = network(images), network(images, {"C": query})
    for level in "ABC":
        assert (own.attn[level] - other.attn[level]).abs().max() > 1e-6
        (gradient,) = torch.autograd.grad(other.attn[level].square().sum(), query, retain_graph=True)
        assert gradient.abs().max() > 1e-9
    assert network.inert_levels == ()
    assert network.acting_levels == ("A", "B", "C")


def test_pruning_is_refused_where_the_query_acts():
    for compat, options in ((DotProduct, {}), (Parametrised, {"normaliser": "sigmoid"})):
        with pytest.raises(ValueError, match="prune_inert_query=true is only for networks with an inert query"):
            vgg_attention(5, "C", compat, prune_inert_query=True, **TINY, **options)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"width": -1.0}, "width=-1"),
        ({"width": 0.001}, "width=0.001 leaves 0.064 of 64 channels"),
        ({"dropout": 2.0}, r"dropout=2.0 must be a number in \[0, 2\)"),
        ({"dropout": -0.1}, "dropout=-0.1"),
        ({"init": {"scorer": "ones"}}, "init.scorer=ones is unknown; choose one of zero, author"),
        ({"init": {"batchnorm": "x"}}, "init.batchnorm=x is unknown"),
        ({"levels": "D"}, "levels=D must be a list of different levels from A, B, C"),
        ({"levels": ""}, "levels="),
        ({"levels": "CC"}, "levels="),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        vgg_attention(10, **{"levels": "C", "compat": Parametrised, **options})


def test_a_pruned_network_has_no_query_to_replace():
    network = vgg_attention(5, "C", Parametrised, prune_inert_query=True, **TINY)
    with pytest.raises(ValueError, match="no query C that could be replaced; it has none"):
        network(torch.randn(1, 3, 32, 32), {"C": torch.randn(1, 32)})
