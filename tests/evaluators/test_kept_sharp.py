"""Shares kept sharp and blurred, on maps whose shares are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lta.data.batches import Split
from lta.evaluators.evaluator import NotApplicable
from lta.evaluators.kept_sharp.evaluator import KeptSharp, count_shares
from lta.models.output import NetworkOutput

SIZE = 32


def make_data(count=24):
    """A square of a quarter of the picture at a corner; pictures hold the corner's number, and no edges to be drawn to."""
    roles = np.zeros((count, SIZE, SIZE), np.uint8)
    images = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    for number in range(count):
        row, column = number % 2 * SIZE // 2, number // 2 % 2 * SIZE // 2
        roles[number, row : row + SIZE // 2, column : column + SIZE // 2] = 2
        images[number] = 60 * (number % 4)
    split = Split(images, np.arange(count) % 2, roles, np.arange(count))
    return SimpleNamespace(test=split, class_names=("even", "odd"), eval_batch_size=5)


def make_classifier(wrong=False, ends=None):
    """A network whose map is the square's corner, or the one opposite."""

    def run(images):
        number = images[:, 0, 0, 0].long() // 60
        row, column = number % 2, number // 2 % 2
        attn = torch.full((len(images), 2, 2), 0.1)
        attn[torch.arange(len(images)), row ^ int(wrong), column ^ int(wrong)] = 1.0
        logits = torch.zeros(len(images), 2)
        return NetworkOutput(logits, (logits,), {"B": attn}, {}, {}, {})

    network = torch.nn.Module()
    network.levels = ("B",)
    if ends is not None:
        network.ends = torch.tensor(ends)

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.class_names = ("even", "odd")

        def forward(self, images):
            return run(images)

    return Classifier()


def ask(classifier, **settings):
    return KeptSharp(edges=0.0, **settings).run(classifier, make_data())


def test_shares_are_counted_by_hand():
    mask = torch.tensor([[True, True, False, False]])
    sharp = torch.tensor([[[True, False, True, False]], [[True, True, True, True]]])
    np.testing.assert_allclose(count_shares(sharp, mask), [[50, 50], [100, 0]])


def test_a_map_of_the_object_keeps_it_and_one_beside_it_does_not():
    right = ask(make_classifier(ends=[0.3, 0.7])).figures["maps"]["B"]
    assert right["kind"] == "level"
    assert right["applied"]["kept"]["value"] > 70
    assert right["applied"]["blurred"]["value"] > 90
    wrong = ask(make_classifier(wrong=True, ends=[0.3, 0.7])).figures["maps"]["B"]
    assert wrong["applied"]["kept"]["value"] < 10
    assert wrong["applied"]["over_centre"]["value"] < 0 < right["applied"]["over_centre"]["value"]


def test_a_taught_map_uses_its_own_thresholds_and_others_quantiles():
    """Between 0.9 and 1 of its range little of the square is left; between two quantiles half of the picture counts."""
    strict = ask(make_classifier(ends=[0.98, 1.0])).figures["maps"]["B"]["applied"]["kept"]["value"]
    wide = ask(make_classifier(ends=[0.0, 0.2])).figures["maps"]["B"]["applied"]["kept"]["value"]
    quantiles = ask(make_classifier()).figures["maps"]["B"]["applied"]["kept"]["value"]
    assert strict < quantiles < wide


def test_thresholds_of_the_other_half_make_maps_comparable():
    """Where a map's own thresholds are bad ones, the tuned figures don't depend on them."""
    bad, good = (ask(make_classifier(ends=ends)).figures["maps"]["B"]["tuned"] for ends in ([0.98, 1.0], [0.3, 0.7]))
    assert bad == good
    assert good["mean"]["value"] > 85


def test_what_knows_nothing_of_the_picture_gains_nothing():
    maps = ask(make_classifier(ends=[0.3, 0.7])).figures["maps"]
    assert maps["centre"]["tuned"]["over_centre"]["value"] == 0
    assert abs(maps["centre"]["tuned"]["mean"]["value"] - 50) < 15
    assert maps["shuffled"]["tuned"]["mean"]["value"] < maps["B"]["tuned"]["mean"]["value"] - 20


def test_classes_of_ten_pictures_have_figures_of_their_own():
    result = ask(make_classifier())
    assert list(result.figures["classes"]) == ["even", "odd"]
    assert result.figures["classes"]["odd"]["B"]["tuned"]["mean"]["n"] == 12
    assert "classes" not in ask(make_classifier(), by_class=False).figures
    assert {row["class"] for row in result.rows} == {"", "even", "odd"}
    assert any(line.startswith("odd (12)") for line in result.lines)


def test_what_can_not_be_asked():
    data, classifier = make_data(), make_classifier()
    data.test.roles[3] = 0
    with pytest.raises(
        ValueError,
        match=r"in 1 of 24 test images the object covers nothing or everything .the first is image 3, counted from 0",
    ):
        KeptSharp().check(classifier, data)
    classifier.network.levels = ()
    with pytest.raises(NotApplicable, match="evaluator=kept_sharp needs attention maps"):
        KeptSharp().check(classifier, make_data())
    with pytest.raises(ValueError, match=r"evaluator.kept_sharp.edges=0.5 must be"):
        KeptSharp(edges=0.5)
