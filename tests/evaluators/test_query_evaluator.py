"""What a replaced query does, on networks where that is known."""

import numpy as np
import pytest
import queried
import torch
from networks import network as built
from torch import nn

from lta.data.batches import Split
from lta.evaluators.query.evaluator import Query
from lta.evaluators.query.replaced import draw_matched_noise, make_stand_ins
from lta.layers.compatibility import Additive, Compatibility, Parametrised
from lta.measures.roles import derangement


class Told(nn.Module):
    """The query asks for red where the corner is blue, else for green."""

    def forward(self, x):
        blue = (x[:, 2, 0, 0] > 0.5).float()
        return 200 * torch.stack([blue, 1 - blue, torch.zeros_like(blue)], 1)


class Deaf(Compatibility):
    separable = False

    def __init__(self, channels: int):
        super().__init__()

    def score(self, positions, query):
        return positions.sum(2) + 0 * query.sum(1, keepdim=True)


def told(count=10):
    """Pairs of dots; the query of every other one asks for the green one."""
    split = queried.pairs(count, side_labels=False)
    split.images[:, 0, 0, 2] = np.where(np.arange(count) % 2, 255, 0)
    return split


def test_a_query_that_chooses_between_two_positions_moves_all_attention():
    split = told()
    result = Query(seed=3).run(queried.Asked(queried.network(branch=Told())), queried.data(split))
    level = result.figures["levels"]["C"]
    asks, partner = np.arange(10) % 2, derangement(10, 3).numpy()
    differ = asks != asks[partner]
    assert 0 < differ.sum() < 10
    another = level["replaced_by"]["another"]
    assert another["tv"]["value"] == pytest.approx(differ.mean(), abs=1e-6)
    assert another["tv_max"] == pytest.approx(1, abs=1e-6)
    assert another["tv"]["n"] == 10
    # four positions of 64 attended, the others far below: a correlation of -4/60 where the map moves, else 1
    expected = np.where(differ, -4 / 60, 1).mean()
    assert another["correlation"]["value"] == pytest.approx(expected, abs=1e-5)
    zero = level["replaced_by"]["zero"]
    assert zero["tv"]["value"] == pytest.approx(60 / 64, abs=1e-6)
    assert zero["correlation"] == {"value": None, "interval": [None, None], "n": 0}
    changed = result.figures["predictions"]["C"]["another"]
    assert changed["changed"]["value"] == pytest.approx(100 * differ.mean())
    assert changed["tv"]["value"] == pytest.approx(differ.mean(), abs=1e-3)
    assert level["verdict"]["words"] == "acts"
    assert any(line.startswith("C: the query acts: another image's g moves") for line in result.lines)
    assert any("data=digit_pairs" in line for line in result.lines)
    assert result.figures["pairs"] is None
    assert list(result.pictures) == ["replaced_C"]


def test_two_images_exchange_their_queries():
    split = told(2)
    level = Query().run(queried.Asked(queried.network(branch=Told())), queried.data(split)).figures["levels"]["C"]
    assert level["replaced_by"]["another"]["tv"]["value"] == pytest.approx(1, abs=1e-6)
    # the control: where one picture has its green dot, and the other its red one
    shared = ((split.images[0, ..., 1] > 0) & (split.images[1, ..., 0] > 0)).sum() / 4
    assert level["other_picture"]["tv"]["value"] == pytest.approx(1 - shared, abs=1e-6)


def test_the_gain_of_a_dot_product_in_closed_form():
    """d a = a (s - <a, s>) with s the dot products of the features with the step."""
    split, asked = told(3), queried.Asked(queried.network(branch=Told()))
    network = asked.network
    network.branches["C"].forward = lambda x: 2 + x[:, :, 0, 0]  # flat enough to have a slope
    found = Query(directions=2, seed=5).run(asked, queried.data(split)).figures["levels"]["C"]["gain"]["value"]
    local = split.images.reshape(3, 64, 3) / 255
    g = 2 + local[:, 0]
    expected = []
    for direction in np.random.default_rng((5, 2)).standard_normal((2, 3, 3), np.float32).astype(float):
        step = direction * np.linalg.norm(g, axis=1, keepdims=True) / np.linalg.norm(direction, axis=1, keepdims=True)
        scores, slopes = (np.einsum("npc,nc->np", local, vector) for vector in (g, step))
        attn = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        change = attn * (slopes - (attn * slopes).sum(1, keepdims=True))
        expected.append(np.linalg.norm(change, axis=1) / np.linalg.norm(attn, axis=1))
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_network_that_ignores_its_query_has_changed_by_nothing():
    level = Query().run(queried.Asked(queried.network(Deaf(3), Told())), queried.data(told())).figures["levels"]["C"]
    for kind in ("another", "zero", "noise"):
        assert level["replaced_by"][kind]["tv_max"] == 0
        assert level["replaced_by"][kind]["tv"]["interval"] == [0, 0]
    assert level["gain"]["value"] == 0
    assert level["other_picture"]["tv"]["value"] > 0.01
    assert level["verdict"]["words"] == "inert"
    assert "cancels" not in level["verdict"]["why"]  # measured, not proved


@pytest.mark.parametrize(
    ("compat", "normaliser", "words"),
    [
        (Parametrised, "softmax", "inert"),
        (Parametrised, "sigmoid", "acts"),
        (Additive, "softmax", "acts"),
    ],
)
def test_scores_with_a_direction(compat, normaliser, words):
    unit = compat(3)
    nn.init.constant_(unit.scorer.weight, 0.5)
    network = queried.network(unit, normaliser=normaliser)
    network.branches["C"].forward = lambda x: x.mean((2, 3)) * 20
    result = Query().run(queried.Asked(network), queried.data(queried.pairs(12, side_labels=False)))
    level = result.figures["levels"]["C"]
    assert level["verdict"]["words"] == "inert" or level["verdict"]["largest"] > 1e-3
    assert level["verdict"]["words"].startswith(words)
    assert ("total" in level["replaced_by"]["zero"]) == (normaliser == "sigmoid")
    if words == "inert":
        assert level["verdict"]["largest"] < 1e-6
        assert level["gain"]["value"] < 1e-6
        assert "the softmax over positions cancels u.g" in result.lines[-2]
    else:
        assert level["gain"]["value"] > 1e-2


def test_a_gate_that_only_opens_further_acts():
    """With pc and a sigmoid all scores rise alike. Where all are low, the map's sum changes and its shape does not."""
    unit = Parametrised(3)
    nn.init.constant_(unit.scorer.weight, 1.0)
    nn.init.constant_(unit.scorer.bias, -15.0)
    network = queried.network(unit, normaliser="sigmoid")
    network.branches["C"].forward = lambda x: x[:, :, 0, 0]
    split = queried.singles(6)
    split.images[:, 0, 0, 2] = np.linspace(0, 255, 6)
    level = Query().run(queried.Asked(network), queried.data(split)).figures["levels"]["C"]
    assert level["replaced_by"]["another"]["tv_max"] < 1e-5
    blue = split.images[:, 0, 0, 2] / 255
    expected = np.abs(np.exp(blue[derangement(6, 0).numpy()] - blue) - 1)
    assert level["replaced_by"]["another"]["total"]["value"] == pytest.approx(expected.mean(), rel=1e-3)
    assert level["verdict"]["words"] == "acts"


def test_noise_has_the_mean_and_deviation_of_each_coordinate():
    rng = np.random.default_rng(0)
    vectors = (rng.gamma(2.0, 3.0, (4000, 5)) * np.arange(5) - 7).astype(np.float32)
    noise = draw_matched_noise(vectors, np.random.default_rng(1))
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise.mean(0), vectors.mean(0), atol=4 * vectors.std(0).max() / 4000**0.5)
    np.testing.assert_allclose(noise.std(0), vectors.std(0), rtol=0.06)
    assert (noise[:, 0] == -7).all()
    assert abs(np.corrcoef(noise[:, 1], vectors[:, 1])[0, 1]) < 0.1
    assert abs(np.corrcoef(noise[:, 1], noise[:, 2])[0, 1]) < 0.1


def test_stand_ins_are_what_they_are_called():
    rng = np.random.default_rng(0)
    queries = {"A": rng.random((6, 2), np.float32), "C": rng.random((6, 4), np.float32)}
    found = make_stand_ins(queries, seed=1)
    partner = derangement(6, 1).numpy()
    for source, g in queries.items():
        assert np.array_equal(found["another"][source], g[partner])
        assert not found["zero"][source].any()
        assert found["noise"][source].shape == g.shape


def test_figures_do_not_depend_on_batches():
    asked = queried.Asked(queried.network(branch=Told()))
    answers = [Query(examples=0).run(asked, queried.data(told(), batch_size=size)).figures for size in (3, 10)]
    assert answers[0] == answers[1]


class Trained(queried.Asked):
    def __init__(self, *overrides):
        super().__init__(built("model.width=0.0625", "model.init.scorer=author", *overrides).eval(), tuple("0123456789"))


def noise_images(count=6):
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return queried.data(Split(images, np.arange(count) % 10), class_names=tuple("0123456789"))


def test_all_is_computed_in_float32():
    asked = Trained("model=vgg_att2", "compat=dp")
    expected = Query(examples=0).run(asked, noise_images(2)).figures
    with torch.autocast("cpu", torch.bfloat16):
        assert Query(examples=0).run(asked, noise_images(2)).figures == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "read", "inert"),
    [
        ("model=vgg_att3 compat=dp", {"C": "ABC"}, ""),
        ("model=vgg_att3_three_globals compat=dp", {"A": "A", "B": "B", "C": "C"}, ""),
        ("model=vgg_att2_two_globals compat=pc head=indep", {"B": "B", "C": "C"}, "BC"),
        ("model=vgg_pan compat=pc", {"B": "B", "C": "C"}, "C"),
        ("model=vgg_progressive_ll compat=dp", {"A": "A", "C": "C"}, None),
        ("model=vgg_att3_upprojecting compat=additive", {"C": "ABC"}, None),
    ],
)
def test_every_kind_of_network(overrides, read, inert):
    asked = Trained(*overrides.split())
    for branch in asked.network.branches.values():  # untrained queries are small
        branch.register_forward_hook(lambda module, inputs, output: 50 * output)
    result = Query(examples=1).run(asked, noise_images())
    levels = result.figures["levels"]
    assert {level: about["query"] for level, about in levels.items()} == {t: s for s, ts in read.items() for t in ts}
    assert set(result.figures["predictions"]) == set(read)
    for level, about in levels.items():
        assert np.isfinite(about["gain"]["value"])
        if inert is not None:
            assert (about["verdict"]["words"] == "inert") == (level in inert), about["verdict"]
            assert (about["gain"]["value"] < 1e-5) == (level in inert)
    assert set(result.pictures) == {f"replaced_{level}" for level in levels}
    assert {row["level"] for row in result.rows} == {*levels, *(f"g_{source}" for source in read)}


def test_a_pruned_query_is_said_to_be_left_out():
    result = Query().run(Trained("model=vgg_att2", "compat=pc", "model.prune_inert_query=true"), noise_images(2))
    assert {about["verdict"]["words"] for about in result.figures["levels"].values()} == {"left out"}
    assert len(result.lines) == 2
    assert "B: the query was left out: there is nothing to replace" in result.lines[0]
    assert "the softmax over positions cancels u.g" in result.lines[0]
    assert result.rows == []


@pytest.mark.slow
def test_what_is_left_of_a_half_pruned_network_is_asked():
    result = Query().run(Trained("model=vgg_pan", "compat=pc", "model.prune_inert_query=true"), noise_images())
    words = {level: about["verdict"]["words"] for level, about in result.figures["levels"].items()}
    assert words["C"] == "left out"
    assert words["B"].startswith("acts")


@pytest.mark.parametrize(
    ("model", "said"), [("vgg", "this network has none"), ("vgg_gap", "can't replace the query of GAPNet")]
)
def test_networks_without_queries_are_refused(model, said):
    with pytest.raises(ValueError, match=f"evaluator=query .*{said}"):
        Query().run(queried.Asked(built("model.width=0.0625", f"model={model}")), noise_images(2))


def test_one_image_is_too_few():
    with pytest.raises(ValueError, match="1 test image is too few"):
        Query().run(queried.Asked(queried.network()), queried.data(queried.pairs(1)))


@pytest.mark.parametrize("settings", [{"directions": 0}, {"examples": -1}, {"seed": -1}])
def test_wrong_settings_are_named(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"evaluator.query.{name}="):
        Query(**settings)
