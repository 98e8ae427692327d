"""Insertion, deletion and blurring on networks that read known pixels."""

from copy import deepcopy
from functools import cache
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asked import Stand, data, split

from lta.evaluators.faithfulness.evaluator import Faithfulness, area_under
from lta.evaluators.sample import balanced_sample
from lta.measures.intervals import mean, means


def sharp(images):
    """Which pixels are black or white: in a chequered picture, those that are not blurred."""
    return (images[:, 0] == 0) | (images[:, 0] == 255)


REGION = (slice(5, 9), slice(8, 12))
"""16 of 256 pixels."""


def region_network(*levels):
    """Sure of its class as long as the whole region is sharp. Maps: R on the region, U uniform, O all but the region."""

    def read(images):
        maps = {name: torch.full((len(images), 16, 16), 1 / 256) for name in levels}
        for name, inside in (("R", 1.0), ("O", 0.0)):
            if name in maps:
                maps[name][:] = 1 - inside
                maps[name][:, *REGION] = inside
        seen = sharp(images)[:, *REGION].all(2).all(1)
        logits = torch.where(seen[:, None], torch.tensor([50.0, 0.0]), torch.tensor([0.0, 50.0]))
        return logits, maps

    return Stand(SimpleNamespace(levels=levels), read)


def chequered(count=20, size=16):
    y, x = np.indices((size, size))
    return split(np.stack([255 * ((y + x + number) % 2) for number in range(count)]))


AREAS = (1 / 16, 15 / 16)


@cache
def asked(*levels, areas=AREAS):
    return Faithfulness(images=None, areas=areas).run(region_network(*levels), data(chequered()))


def test_a_map_on_what_the_network_reads():
    orders = asked("R", "U", "O").figures["orders"]
    found = orders["R"]
    assert found["deletion"]["value"] == pytest.approx(1 / 32, abs=1e-6), "it drops at once"
    assert found["insertion"]["value"] == pytest.approx(1 - 1 / 32, abs=1e-6), "it rises at once"
    assert [point["error"]["value"] for point in found["most"]] == [100, 100]
    assert [point["error"]["value"] for point in found["least"]] == [0, 0]
    assert found["least"][1]["error"]["minus_random"]["value"] == -orders["random"]["least"][1]["error"]["value"]
    assert found["least"][1]["error"]["minus_random"]["interval"][1] < 0
    assert orders["random"]["insertion"]["value"] < 0.6
    assert "minus_random" not in orders["random"]["deletion"]


def test_a_map_on_all_that_the_network_does_not_read():
    found = asked("R", "U", "O").figures["orders"]["O"]
    assert found["deletion"]["value"] == pytest.approx(1 - 1 / 32, abs=1e-6)
    assert found["insertion"]["value"] == pytest.approx(1 / 32, abs=1e-6)


def test_a_uniform_map_is_the_random_control():
    orders = asked("U", areas=(0.01, 0.03, 0.1)).figures["orders"]
    uniform = deepcopy(orders["U"])
    assert uniform["deletion"].pop("minus_central")["value"] == pytest.approx(
        uniform["deletion"]["value"] - orders["central"]["deletion"]["value"]
    )
    del uniform["insertion"]["minus_central"]
    for kind in ("deletion", "insertion"):
        for control in ("random", "shuffled"):
            assert uniform[kind].pop(f"minus_{control}") == {"value": 0, "interval": [0, 0], "n": 20}
    for kind in ("most", "least"):
        for point in uniform[kind]:
            for what, control in product(("error", "probability"), ("random", "central", "shuffled")):
                del point[what][f"minus_{control}"]
    assert uniform == orders["random"]
    assert 0 < orders["random"]["most"][0]["error"]["value"] < 100


WEIGHTS = torch.tensor([[0.4, 0.1], [0.2, 0.3]])


def test_areas_under_the_curve_by_hand_on_four_pixels():
    def read(images):
        seen = (sharp(images) * WEIGHTS).sum((1, 2)).clamp(1e-9, 1 - 1e-9)
        return torch.stack([seen, 1 - seen], 1).log(), {"C": WEIGHTS.expand(len(images), 2, 2)}

    network = Stand(SimpleNamespace(levels=("C",)), read)
    settings = Faithfulness(images=None, areas=(0.25, 0.5, 0.75), sigma=0.3)
    figures = settings.run(network, data(chequered(4, 2))).figures
    found = figures["orders"]["C"]
    assert figures["pixels_blurred"] == [1, 2, 3]
    assert [point["probability"]["value"] for point in found["most"]] == pytest.approx([0.6, 0.3, 0.1])
    assert [point["probability"]["value"] for point in found["least"]] == pytest.approx([0.9, 0.7, 0.4])
    assert found["deletion"]["value"] == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4)
    assert found["insertion"]["value"] == pytest.approx((0.5 + 0.9 + 0.7 + 0.4) / 4)
    assert [point["error"]["value"] for point in found["most"]] == [0, 100, 100]
    uneven = area_under((0.1, 0.5), np.array([1.0]), np.array([[0.5, 0.5]]), np.array([0.0]))
    assert uneven == pytest.approx([0.075 + 0.2 + 0.125])


def own_place(images):
    """The class hangs on one pixel, another in each image, and the map is on it."""
    place = images[:, 1].flatten(1).float().argmax(1)
    seen = images[:, 1].flatten(1).float().gather(1, place[:, None])[:, 0] == 255
    maps = torch.nn.functional.one_hot(place, 256).float().view(-1, 16, 16)
    return torch.where(seen[:, None], torch.tensor([50.0, 0.0]), torch.tensor([0.0, 50.0])), {"C": maps}


def test_a_map_of_its_own_picture_beats_another_pictures_and_one_of_all_pictures_does_not():
    dots = np.zeros((12, 16, 16), np.uint8)
    for number, dot in enumerate(dots):
        dot[1 + number, 3 + number] = 255
    figures = (
        Faithfulness(images=None, areas=(0.1, 0.9))
        .run(Stand(SimpleNamespace(levels=("C",)), own_place), data(split(dots)))
        .figures
    )
    found, shuffled = figures["orders"]["C"], figures["orders"]["shuffled"]
    assert figures["joint"] == "C"
    assert found["most"][0]["error"]["value"] == 100
    assert shuffled["most"][0]["error"]["value"] < 50, "only by chance, among equal pixels"
    assert found["deletion"]["minus_shuffled"]["interval"][1] < 0
    assert found["insertion"]["minus_shuffled"]["interval"][0] > 0
    assert found["deletion"]["minus_shuffled"]["value"] == pytest.approx(
        found["deletion"]["value"] - shuffled["deletion"]["value"]
    )
    fixed = asked("R").figures["orders"]["R"]["deletion"]
    assert fixed["minus_shuffled"] == {"value": 0, "interval": [0, 0], "n": 20}, "the same map in every picture says nothing"
    assert fixed["minus_random"]["interval"][1] < 0
    several = asked("R", "U", "O")
    assert several.figures["joint"] == "product"
    assert "minus_shuffled" in several.figures["orders"]["product"]["deletion"]
    assert "minus_shuffled" not in several.figures["orders"]["R"]["deletion"]
    assert sum(line.startswith("product minus another image's") for line in several.lines) == 1


def test_a_map_is_set_beside_the_middle_of_the_picture():
    """The region of 4x4 lies three rows above the middle: showing the middle first reaches it late."""
    several = asked("R", "U", "O")
    orders = several.figures["orders"]
    for name in ("R", "U", "O", "product"):
        for kind in ("deletion", "insertion"):
            beside = orders[name][kind]["minus_central"]
            assert beside["value"] == pytest.approx(orders[name][kind]["value"] - orders["central"][kind]["value"])
    assert orders["R"]["insertion"]["minus_central"]["interval"][0] > 0
    assert orders["O"]["insertion"]["minus_central"]["interval"][1] < 0
    for control in ("random", "shuffled", "central"):
        assert "minus_central" not in orders[control]["deletion"]
    assert sum(line.startswith("product minus the middle of the picture") for line in several.lines) == 1
    alone = Faithfulness(images=1, areas=AREAS).run(region_network("R"), data(chequered())).figures["orders"]
    assert "minus_central" in alone["R"]["deletion"]


def test_one_image_has_no_other():
    assert (
        "shuffled" not in Faithfulness(images=1, areas=AREAS).run(region_network("R"), data(chequered())).figures["orders"]
    )


def test_a_network_without_maps_has_its_controls_and_says_so():
    found = asked()
    assert list(found.figures["orders"]) == ["random", "central"]
    assert any("no maps" in line for line in found.lines)
    assert set(found.pictures) == {"curves", "examples"}


def test_the_sample_is_said_and_the_rows_are_one_table():
    found = Faithfulness(images=6, areas=AREAS).run(region_network("R"), data(chequered()))
    assert "6 of 20 images (class-balanced)" in found.lines[0]
    assert found.figures["orders"]["R"]["deletion"]["n"] == 6
    assert len(found.rows) == 4 * 2 * 2
    assert len({tuple(row) for row in found.rows}) == 1


@pytest.mark.parametrize(
    "setting",
    [
        {"images": 0},
        {"areas": []},
        {"areas": [0.5, 1]},
        {"areas": [0]},
        {"sigma": 0},
        {"sigma": 0.5},
        {"seed": -1},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ValueError, match=f"evaluator.faithfulness.{next(iter(setting))}"):
        Faithfulness(**setting)


def test_a_class_that_the_network_does_not_know_is_refused():
    with pytest.raises(ValueError, match="maybe"):
        Faithfulness().run(region_network("R"), data(chequered(), class_names=("maybe", "no")))


def test_a_balanced_sample():
    labels = np.repeat([0, 1, 2], [50, 5, 45])
    chosen = balanced_sample(labels, 25, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [10, 5, 10]
    assert (np.diff(chosen) > 0).all()
    assert not np.array_equal(chosen, balanced_sample(labels, 25, seed=1))
    for everything in (None, 100, 1000):
        assert np.array_equal(balanced_sample(labels, everything, 0), np.arange(100))


@pytest.mark.parametrize("groups", [None, np.arange(30) % 7])
def test_many_means_are_each_the_mean(groups):
    values = np.random.default_rng(0).normal(size=(30, 4))
    for found, column in zip(means(values, groups), values.T, strict=True):
        expected = mean(column, groups)
        assert found["n"] == expected["n"]
        assert [found["value"], *found["interval"]] == pytest.approx([expected["value"], *expected["interval"]])
