"""Networks whose dependence on the query is known: none, all of it, and which object it points to."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lta.data.batches import Split
from lta.evaluators.query import Query, verdict
from lta.evaluators.query_pairs import on_labelled, points_at
from lta.layers.attention import Attention
from lta.layers.compatibility import DotProduct, Parametrised
from lta.layers.heads import ConcatHead
from lta.models.attention_net import AttentionNet
from lta.models.vgg_family import vgg_attention, vgg_gap


class Seen(nn.Module):
    """A classifier as evaluators know it, without preprocessing."""

    def __init__(self, network, class_names):
        super().__init__()
        self.network, self.preprocess, self.class_names = network, _Floats(), class_names

    def forward(self, images):
        return self.network(self.preprocess(images))


class _Floats(nn.Module):
    def forward(self, images):
        return images.float() / 255


class _Brightest(nn.Module):
    """g: how red and how green the picture's pixels are at most, made large, so that a softmax is all on one cell."""

    def forward(self, x):
        return 1000 * x.amax((2, 3)).square()


def finder(compat):
    """The trunk gives the pixels themselves: with dp the map lies where the picture has the query's colour."""
    unit = Attention(compat(3))
    network = AttentionNet(_Trunk(), {"C": _Brightest()}, {"C": "C"}, {"C": unit}, ConcatHead([3], 2, 0.0))
    return Seen(network, ("red", "green")).eval()


class _Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleDict({"C": nn.Identity()})
        self.channels = {"C": 3}


def pictures(colours, size=4):
    """One coloured pixel at a place of its own for each colour (0 red, 1 green), on black."""
    images = np.zeros((len(colours), size, size, 3), np.uint8)
    roles = np.zeros((len(colours), size, size), np.uint8)
    for number, places in enumerate(colours):
        for (row, column), colour, role in places:
            images[number, row, column, colour] = 255
            roles[number, row, column] = role
    return images, roles


def pairs():
    made = [[((0, number % 4), number % 2, 2), ((3, (number + 1) % 4), 1 - number % 2, 1)] for number in range(8)]
    images, roles = pictures(made)
    labels = np.arange(8) % 2
    single_images, single_roles = pictures([[((2, 2), number % 2, 2)] for number in range(6)])
    singles = Split(single_images, np.arange(6) % 2, single_roles, np.arange(6))
    test = Split(images, labels, roles, np.arange(8), 1 - labels)
    return SimpleNamespace(test=test, singles=singles, class_names=("red", "green"), eval_batch_size=3)


def test_a_query_that_decides_moves_the_map_to_its_object():
    found = Query(pictures=0).run(finder(DotProduct), pairs()).figures["pairs"]["levels"]["C"]
    assert found["labelled"]["value"] == pytest.approx(1), "all attention lies on the object of the query's colour"
    assert found["other"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["moved"]["value"] == pytest.approx(1)
    assert found["pointing"]["value"] == pytest.approx(1)
    assert found["by_area"] == 0.5


def test_a_query_that_is_cancelled_moves_nothing():
    classifier = finder(Parametrised)
    nn.init.normal_(classifier.network.attention["C"].compat.scorer.weight)
    figures = Query(pictures=0).run(classifier, pairs()).figures
    assert figures["levels"]["C"]["verdict"] == "inert"
    assert figures["levels"]["C"]["noise"]["largest"] < 1e-5
    assert figures["levels"]["C"]["sensitivity"]["value"] < 1e-9
    assert figures["prediction"]["C"]["zero"]["class_changes"]["value"] == 0
    assert abs(figures["pairs"]["levels"]["C"]["moved"]["value"]) < 1e-6


def test_all_attention_moves_with_another_query():
    images, roles = pictures([[((0, 0), number % 2, 2), ((3, 3), 1 - number % 2, 1)] for number in range(2)])
    images[0, 0, 0], images[0, 3, 3] = (255, 0, 0), (0, 200, 0)  # red is brighter: the query is red above all
    images[1, 0, 0], images[1, 3, 3] = (200, 0, 0), (0, 255, 0)
    data = SimpleNamespace(test=Split(images, np.array([0, 1]), roles), class_names=("red", "green"), eval_batch_size=2)
    level = Query(pictures=2).run(finder(DotProduct), data).figures["levels"]["C"]
    assert level["other"]["total_variation"]["value"] == pytest.approx(1, abs=1e-5)
    assert level["verdict"] == "acts"
    assert level["zero"]["total_variation"]["value"] == pytest.approx(1 - 1 / 16, abs=1e-5), "no query is uniform"


def small(**options):
    torch.manual_seed(0)
    network = vgg_attention(10, levels=["A", "B", "C"], head=ConcatHead, width=0.0625, init={"scorer": "author"}, **options)
    return Seen(network, tuple("0123456789")).eval()


def noise_data(count=6):
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return SimpleNamespace(
        test=Split(images, np.zeros(count, np.int64)), class_names=tuple("0123456789"), eval_batch_size=4
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"query": "own"}, {"query": "own", "gates": ["A"]}, {"normaliser": "sigmoid"}])
@pytest.mark.parametrize("compat", [Parametrised, DotProduct])
def test_every_kind_of_query_is_understood(compat, options):
    result = Query().run(small(compat=compat, **options), noise_data())
    inert = compat is Parametrised and "normaliser" not in options
    for level in "ABC":
        found = result.figures["levels"][level]
        assert found["reads"] == (level if options.get("query") == "own" else "C")
        if "gates" not in options:  # what a gate lets through may be too little for any query to move
            assert (found["verdict"] == "inert") == inert
    assert set(result.pictures) == {"maps_A", "maps_B", "maps_C"}
    assert len(result.rows) == 9
    json.dumps(result.figures)


def test_a_pruned_query_is_said_to_be():
    result = Query().run(small(compat=Parametrised, prune_inert_query=True), noise_data())
    assert {found["verdict"] for found in result.figures["levels"].values()} == {"pruned"}
    assert any("was left out" in line for line in result.lines)
    assert not result.pictures


def test_networks_without_a_query_are_told_so():
    with pytest.raises(ValueError, match="evaluator=query asks what the query does, and this network has no attention"):
        Query().check(Seen(vgg_gap(10, width=0.0625), tuple("0123456789")), noise_data())
    with pytest.raises(ValueError, match="needs two images or more"):
        Query().check(small(compat=DotProduct), noise_data(1))


def test_the_verdict_follows_its_rule():
    def figures(moved, largest):
        kind = {"total_variation": {"value": moved}, "correlation": {"value": 0.9}, "largest": largest}
        return {"pruned": False, "inert_by_construction": False, "other": kind, "zero": kind, "noise": kind}

    assert verdict(figures(1e-7, 9e-6))[0] == "inert"
    assert verdict(figures(1e-7, 2e-5))[0] == "hardly acts"
    assert verdict(figures(2e-3, 2e-3))[0] == "acts"


def test_shares_on_the_labelled_object_by_hand():
    covered = torch.zeros(2, 3, 2, 2)
    covered[:, 2, 0, 0], covered[:, 1, 1, 1], covered[:, 0, 0, 1], covered[:, 0, 1, 0] = 1, 1, 1, 1
    attn = torch.tensor([[[0.3, 0.4], [0.2, 0.1]], [[0.0, 1.0], [0.0, 0.0]]])
    shares = on_labelled(attn, covered)
    assert shares[0].item() == pytest.approx(0.75)
    assert np.isnan(shares[1].item())
    assert points_at(torch.ones(2, 2, 2), covered[:, 2]).tolist() == [0.25, 0.25]
