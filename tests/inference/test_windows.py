"""Windows, scales and queries, against what the network itself says of each part."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from untrained_run import untrained_run

from lta.inference.checkpoint import load
from lta.inference.query import resolve_query
from lta.inference.windows import check_scales, run_at_scales
from lta.instantiate import build
from lta.measures.pixel_maps import density

SIZE = (32, 48)
ROWS, COLUMNS = 171, 256  # of 214 x 320 pixels


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    place = tmp_path_factory.mktemp("seeing") / "run"
    return load(
        untrained_run(place, "compat=dp", "model.normaliser=softmax", "data.test_size=100", image_size=SIZE, names="{}")
    )


@pytest.fixture(scope="module")
def flower():
    return torch.from_numpy(load_sample_image("flower.jpg")[::2, ::2].copy()).permute(2, 0, 1)


def of(network, picture, box=None, queries=None):
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    small = image.resize(SIZE[::-1], Image.Resampling.BICUBIC, box=box)
    with torch.no_grad():
        pictures = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None]
        return network.network(network.preprocess(pictures), queries)


def test_at_scale_1_the_whole_picture_is_seen_at_once(network, flower):
    whole, found = of(network, flower), run_at_scales(network, flower)
    assert list(found.maps) == ["A", "B", "C"]
    for level, values in found.maps.items():
        torch.testing.assert_close(values, density(whole.attn[level], (ROWS, COLUMNS))[0])
    torch.testing.assert_close(found.queries["C"], whole.global_feats["C"])


@pytest.mark.parametrize("shape", [(40, 160), (160, 40), (33, 47), (32, 48), (300, 301)])
def test_the_classes_are_those_that_predict_says(network, flower, shape):
    picture = flower[:, : shape[0], : shape[1]]
    found, predicted = run_at_scales(network, picture, [1, 2]), network.predict(picture)
    torch.testing.assert_close(found.probabilities, predicted.probabilities[0])


def test_windows_are_mixed_where_they_overlap_and_scales_count_alike(network, flower):
    """Scale 2: nine windows, at 0, a quarter and a half of each side, each with most weight in its middle."""
    height, width = 86, 128
    total, weights = torch.zeros(ROWS, COLUMNS), torch.zeros(ROWS, COLUMNS)
    rise = [torch.minimum(torch.arange(n) + 0.5, n - torch.arange(n) - 0.5) for n in (height, width)]
    weight = rise[0][:, None] * rise[1]
    for top in (0, 42, 85):
        for left in (0, 64, 128):
            box = (left * 1.25, top * 214 / ROWS, (left + width) * 1.25, (top + height) * 214 / ROWS)
            here = density(of(network, flower, box).attn["B"], (height, width))[0]
            total[top : top + height, left : left + width] += weight * here
            weights[top : top + height, left : left + width] += weight
    expected = total / weights
    expected /= expected.mean()
    found = run_at_scales(network, flower, [2])
    torch.testing.assert_close(found.maps["B"], expected, rtol=1e-4, atol=1e-4)
    whole, both = run_at_scales(network, flower), run_at_scales(network, flower, [1, 2])
    torch.testing.assert_close(both.maps["B"], (whole.maps["B"] + found.maps["B"]) / 2)
    torch.testing.assert_close(found.probabilities, whole.probabilities)


def test_a_map_that_prefers_nothing_prefers_nothing_in_windows_either(tmp_path, flower):
    network = load(untrained_run(tmp_path / "run"))
    for values in run_at_scales(network, flower, [1, 3]).maps.values():
        torch.testing.assert_close(values, torch.ones_like(values))


@pytest.mark.parametrize("shape", [(1, 700), (5, 3), (700, 2)])
def test_every_shape_of_picture_can_be_seen_in_the_finest_windows(network, shape):
    found = run_at_scales(network, torch.randint(0, 256, (3, *shape), dtype=torch.uint8), [8])
    for values in found.maps.values():
        assert max(values.shape) == 256
        assert values.isfinite().all()
        assert values.mean().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("scales", [[], [0], [9], [1, 1], [1.5], [True], "2", 2, None])
def test_scales_that_are_none_are_refused(scales):
    with pytest.raises(
        ValueError, match=r"attention.scales=.* must be whole numbers from 1 to 8, each once, for example \[1,2"
    ):
        check_scales("attention.scales", scales)


def test_another_pictures_query_stands_in_for_its_own(network, flower, tmp_path):
    Image.fromarray(load_sample_image("china.jpg")).save(tmp_path / "china.png")
    china = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)
    queries, said = resolve_query(network, "ABC", str(tmp_path / "china.png"), "this network")
    assert said == (f"query of {tmp_path / 'china.png'}",)
    torch.testing.assert_close(queries["C"], of(network, china).global_feats["C"])
    found = run_at_scales(network, flower, [1], queries)
    expected = of(network, flower, queries=queries)
    torch.testing.assert_close(found.maps["B"], density(expected.attn["B"], (ROWS, COLUMNS))[0])
    assert (found.maps["B"] - run_at_scales(network, flower).maps["B"]).abs().max() > 1e-3
    windows = run_at_scales(network, flower, [2], queries).maps["B"]
    assert (windows - run_at_scales(network, flower, [2]).maps["B"]).abs().max() > 1e-3


@pytest.mark.slow
def test_a_class_is_asked_for_by_the_mean_query_of_its_test_pictures(network):
    """Named 3 on a command line, it comes as a number."""
    queries, said = resolve_query(network, "ABC", 3, "this network")
    data = build(network.hparams["config"]["data"])
    data.prepare_data()
    data.setup()
    pictures = torch.from_numpy(data.test.images[data.test.labels == 3]).permute(0, 3, 1, 2)
    assert 2 <= len(pictures) <= 64
    with torch.no_grad():
        expected = network(pictures).global_feats["C"].mean(0, keepdim=True)
    torch.testing.assert_close(queries["C"], expected)
    assert said == (f"query of 3, the mean of {len(pictures)} test pictures",)


def test_a_query_that_changes_nothing_or_is_nowhere_is_refused(network, tmp_path):
    deaf = load(untrained_run(tmp_path / "run", "compat=pc", names="{}"))
    with pytest.raises(ValueError, match=r"query=3: RUN has maps that provably ignore the query \(levels B, C:"):
        resolve_query(deaf, "BC", 3, "RUN")
    with pytest.raises(ValueError, match=r"query=tower is neither a file nor a class of the network: 0, 1, .*, 9$"):
        resolve_query(network, "ABC", "tower", "RUN")
    assert resolve_query(deaf, "BC", None, "RUN") == ({}, ())


def test_a_network_whose_maps_are_made_without_a_query(tmp_path, flower):
    network = load(untrained_run(tmp_path / "run", "model=vgg_gap", image_size=SIZE, names="{}"))
    assert list(run_at_scales(network, flower, [1, 2]).maps) == ["C"]
    with pytest.raises(ValueError, match=r"^attention\.query=3: RUN has maps that are made without a query$"):
        resolve_query(network, "C", 3, "RUN")
