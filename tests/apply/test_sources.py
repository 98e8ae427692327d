"""The mask that drives effects, put together by hand from what the network returns."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from untrained_run import untrained_run

from lta.apply.masks import from_mask
from lta.apply.sources import EDGES, from_network
from lta.effects.attention_mask import fit_mask_to_image, stretch_values
from lta.inference.checkpoint import load
from lta.inference.windows import run_at_scales
from lta.measures.pixel_maps import combine, density
from lta.pictures.read import UnusablePicture, read_image

SIZE = (32, 48)
AS_USUAL = {
    "levels": None,
    "combine": "product",
    "scales": [1],
    "query": None,
    "low": 0.5,
    "high": 0.95,
    "edges": 0.0,
    "feather": 0.0,
    "invert": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("source") / "run", "model.init.scorer=author", image_size=SIZE)


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    file = tmp_path_factory.mktemp("flower") / "flower.png"
    Image.fromarray(load_sample_image("flower.jpg")[::2, ::2]).save(file)
    return read_image(file)


def attended(run, flower, **asked):
    return from_network(str(run), "last", torch.device("cpu"), AS_USUAL | asked).attend(flower)


def by_hand(run, flower, levels, how):
    small = Image.fromarray(flower.rgb.permute(1, 2, 0).numpy()).resize(SIZE[::-1], Image.Resampling.BICUBIC)
    with torch.no_grad():
        output = load(run)(torch.from_numpy(np.array(small)).permute(2, 0, 1)[None])
    maps = [density(output.attn[level], (171, 256)) for level in levels]  # of 214 x 320 pixels
    return stretch_values((combine(maps, how) if len(maps) > 1 else maps[0])[0])[0]


@pytest.mark.parametrize(
    ("asked", "levels", "how"),
    [
        ({"levels": "B"}, "B", ""),
        ({"levels": ["C", "A"], "combine": "mean"}, "CA", "mean"),
        ({}, "C", ""),
        ({"levels": "all"}, "ABC", "product"),
    ],
)
def test_the_networks_maps_are_put_together_over_the_whole_picture(run, flower, asked, levels, how):
    mask = by_hand(run, flower, levels, how)
    predicted = load(run).predict(flower)
    found = attended(run, flower, **asked)
    torch.testing.assert_close(found.mask, fit_mask_to_image(mask, flower.rgb, edges=0))
    seen = f"seen as {predicted.labels[0]} ({100 * predicted.probabilities.max():.0f} %)"
    assert found.said == (seen, f"level{'s' * (len(levels) > 1)} {', '.join(levels)}")


def test_borders_and_feathers_are_those_asked_for_and_a_masks_own_stay(run, flower, tmp_path):
    mask = by_hand(run, flower, "C", "")
    for asked, edges, feather in (({"edges": None}, EDGES, 0), ({"edges": 0.1}, 0.1, 0), ({"feather": 0.03}, 0, 0.03)):
        torch.testing.assert_close(attended(run, flower, **asked).mask, fit_mask_to_image(mask, flower.rgb, edges, feather))
    hard = np.zeros((214, 320), np.uint8)
    hard[60:150, 100:220] = 255
    Image.fromarray(hard).save(tmp_path / "mask.png")
    exact = torch.from_numpy(hard) / 255
    for asked, edges, feather in (({"edges": None}, 0, 0), ({"edges": 0.1}, 0.1, 0), ({"feather": 0.03}, 0, 0.03)):
        found = from_mask(str(tmp_path / "mask.png"), AS_USUAL | asked).attend(flower).mask
        torch.testing.assert_close(found, fit_mask_to_image(exact, flower.rgb, edges, feather))
    with pytest.raises(UnusablePicture, match=r"has 10 x 9 pixels, but mask=.* has 320 x 214"):
        from_mask(str(tmp_path / "mask.png"), AS_USUAL).attend(flower._replace(rgb=flower.rgb[:, :9, :10]))


def test_what_lies_hidden_below_transparency_is_not_seen(run, flower):
    alpha = torch.full(flower.rgb.shape[1:], 255, dtype=torch.uint8)
    alpha[:, 100:] = 0
    hidden = flower._replace(alpha=alpha)
    white = flower._replace(rgb=torch.where(alpha > 0, flower.rgb, torch.tensor(255, dtype=torch.uint8)))
    for edges in (0.0, EDGES):
        seen, other, opaque = (attended(run, picture, edges=edges) for picture in (hidden, white, flower))
        assert torch.equal(seen.mask, other.mask)
        assert seen.said == other.said
        assert not torch.equal(seen.mask, opaque.mask)


def test_a_mask_is_attended_where_it_is_light_and_not_transparent(flower, tmp_path):
    rgba = np.full((*flower.rgb.shape[1:], 4), 255, np.uint8)
    rgba[:50, :, 3] = 0
    rgba[50:60, :, 3] = 51
    rgba[:, :20, :3] = 0
    Image.fromarray(rgba).save(tmp_path / "shape.png")
    mask, said = from_mask(str(tmp_path / "shape.png"), AS_USUAL).attend(flower)
    assert mask[:50].max() == 0
    assert mask[:, :20].max() == 0
    assert mask[50:60, 20:].unique().tolist() == pytest.approx([0.2])
    assert mask[60:, 20:].min() == 1
    assert said == ()
    rgba[..., :3] = 0
    Image.fromarray(rgba).save(tmp_path / "black.png")
    mask, (said,) = from_mask(str(tmp_path / "black.png"), AS_USUAL).attend(flower)
    assert mask.max() == 0
    assert said == f"mask={tmp_path}/black.png is black or transparent everywhere: nothing counts as attended"


def test_windows_and_a_query_asked_for_drive_the_mask_and_are_said(tmp_path, flower):
    run = untrained_run(tmp_path / "run", "compat=dp", image_size=SIZE)
    Image.fromarray(load_sample_image("china.jpg")).save(tmp_path / "china.png")
    query = str(tmp_path / "china.png")
    found = attended(run, flower, levels="B", scales=[2], query=query)
    network = load(run)
    queries = run_at_scales(network, read_image(tmp_path / "china.png").rgb).queries
    expected = stretch_values(run_at_scales(network, flower.rgb, [2], queries).maps["B"])[0]
    torch.testing.assert_close(found.mask, fit_mask_to_image(expected, flower.rgb, edges=0))
    assert found.said[1:] == ("level B", f"query of {query}")


def test_a_query_is_of_what_can_be_seen_of_its_picture(tmp_path, flower):
    run = untrained_run(tmp_path / "run", "model.init.scorer=author", "compat=dp", image_size=SIZE)
    rgba = np.dstack([load_sample_image("china.jpg"), np.full((427, 640), 255, np.uint8)])
    rgba[:, 200:, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "hidden.png")
    rgba[:, 200:] = 255
    Image.fromarray(rgba[..., :3]).save(tmp_path / "white.png")
    hidden, white = (attended(run, flower, query=str(tmp_path / f"{name}.png")).mask for name in ("hidden", "white"))
    assert torch.equal(hidden, white)


@pytest.mark.parametrize(("key", "value"), [("levels", "B"), ("query", "dog.jpg")])
def test_what_only_a_network_has_is_refused_of_a_mask(key, value):
    with pytest.raises(ValueError, match=rf"attention.{key}={value} needs a network .*, but mask=m.png is not one"):
        from_mask("m.png", AS_USUAL | {key: value})


def test_a_map_that_prefers_nothing_is_said_to(tmp_path, flower):
    uniform = untrained_run(tmp_path / "run", image_size=SIZE)
    found = attended(uniform, flower)
    assert found.said[-1] == "the map prefers nothing: all of the picture counts as attended"
    assert found.mask.unique().tolist() == [1]


def test_a_network_without_maps_is_refused(tmp_path, flower):
    with pytest.raises(ValueError, match="this network has no attention maps"):
        attended(untrained_run(tmp_path / "run", "model=vgg"), flower)
