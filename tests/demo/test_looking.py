"""What the page computes, beside lta.apply and by hand."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import lta_run
from PIL import Image
from pretended_page import ATTENTION, photograph, workshop

from lta.apply.__main__ import apply
from lta.apply.segmentation import Segmenter
from lta.apply.sources import make_mask
from lta.demo import looking
from lta.demo.limits import decode_image
from lta.demo.looking import GLANCE, MASK, OTHER, OWN, SEGMENTATION, Asked, select_seen
from lta.demo.visits import Visit
from lta.pictures.read import UnusablePicture, read_image


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return workshop(tmp_path_factory.mktemp("shop"), "pc", "dp")


@pytest.fixture
def visit(made):
    given, other = (
        made.analyse_image("photo.jpg", photograph(600, 400, form="JPEG")),
        made.analyse_image("other.png", photograph(seed=7)),
    )
    return Visit(given, other, made.swap_query(given, other))


def asked(effect="autoblur", query=OWN, values=None, **attention):
    return Asked(effect, values or {}, ATTENTION | attention, query)


@pytest.fixture(autouse=True)
def _small_previews(monkeypatch):
    monkeypatch.setattr(looking, "make_preview", lambda picture, most=20_000: original(picture, min(most, 20_000)))


original = looking.make_preview


def test_the_preview_is_small_and_its_effect_is_that_of_the_whole_pictures_maps(made, visit):
    assert visit.given.size == (600, 400)
    assert visit.given.preview.rgb.shape == (3, 115, 173)
    for number in range(2):
        pixels, said = made.render_effect(visit, number, asked("spotlight", values={"strength": 0.5}))
        mask = make_mask(visit.given.seen[number].maps, visit.given.preview, ATTENTION).mask
        assert torch.equal(pixels, made.effects["spotlight"](visit.given.preview.rgb, mask, strength=0.5))
        assert said == ()


def test_what_lies_hidden_below_transparency_is_not_looked_at(made):
    rgba = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    rgba[:, 20:, 3] = 0
    rgba[:, :20, 3] = 255
    white = rgba[..., :3].copy()
    white[:, 20:] = 255
    files = [BytesIO(), BytesIO()]
    for file, pixels in zip(files, (rgba, white), strict=True):
        Image.fromarray(pixels).save(file, "PNG")
    hidden, shown = (made.analyse_image("a.png", file.getvalue()) for file in files)
    other = made.analyse_image("other.png", photograph(seed=7))
    for number in range(2):
        assert torch.equal(hidden.seen[number].probabilities, shown.seen[number].probabilities)
    assert torch.equal(made.swap_query(hidden, other)[1].probabilities, made.swap_query(shown, other)[1].probabilities)


def test_moving_an_effects_values_makes_no_mask_and_asks_no_network(made, visit, monkeypatch):
    made.render_effect(visit, 0, asked("spotlight", values={"strength": 0.1}))
    first = visit.masks[0]
    monkeypatch.setattr(looking, "make_mask", lambda *_: pytest.fail("the mask is made again"))
    monkeypatch.setattr(looking, "run_at_scales", lambda *_: pytest.fail("the network is asked again"))
    made.render_effect(visit, 0, asked("spotlight", values={"strength": 0.2}))
    made.render_effect(visit, 0, asked("desaturate"))
    assert visit.masks[0] is first


def test_attention_query_and_picture_make_another_mask(made, visit):
    seen = []
    for one in (asked("heatmap"), asked("heatmap", low=0.8), asked("heatmap", low=0.8, query=OTHER)):
        seen.append(made.render_effect(visit, 1, one)[0])
    visit.given = made.analyse_image("next.png", photograph(600, 400, seed=3))
    visit.swapped = ()
    seen.append(made.render_effect(visit, 1, asked("heatmap", low=0.8))[0])
    for place, pixels in enumerate(seen):
        assert not any(torch.equal(pixels, other) for other in seen[:place])


def test_another_pictures_query_acts_where_it_can(made, visit):
    pc, dp = visit.swapped
    assert pc is None
    assert select_seen(visit, 0, OTHER) is visit.given.seen[0]
    assert select_seen(visit, 1, OTHER) is dp
    assert select_seen(visit, 1, OWN) is visit.given.seen[1]
    assert not torch.allclose(dp.maps["B"], visit.given.seen[1].maps["B"])
    torch.testing.assert_close(dp.queries, visit.other.seen[1].queries)
    itself = made.swap_query(visit.given, visit.given)[1]
    torch.testing.assert_close(itself.maps, visit.given.seen[1].maps)
    assert "provably ignore the query" in made.networks[0].query_note
    assert made.networks[1].query_note == "The query acts at A, B, C."


@pytest.mark.parametrize(
    ("name", "mode", "effect", "settings"),
    [
        ("photo.png", "RGB", "autoblur", {"attention.low": 0.3, "effect.autoblur.radius": 0.1}),
        (
            "photo.jpg",
            "RGB",
            "crop",
            {"effect.crop.aspect": "1:1", "attention.levels": "[B,C]", "attention.combine": "mean"},
        ),
        (
            "photo.webp",
            "RGBA",
            "blurout",
            {"effect.blurout.how": "fill", "attention.invert": "true", "attention.feather": 0.1},
        ),
        ("photo.jpg", "RGB", "cutout", {"attention.edges": 0.0}),
        ("photo", "RGB", "heatmap", {"effect.heatmap.colours": "viridis"}),
    ],
)
def test_the_file_is_that_of_lta_apply(made, capsys, tmp_path, monkeypatch, name, mode, effect, settings):
    monkeypatch.chdir(tmp_path)
    content = photograph(420, 300, mode=mode, form=Path(f"x{Path(name).suffix or '.png'}").suffix[1:].replace("jpg", "jpeg"))
    Path(name).write_bytes(content)
    run = made.folder.parent / "runs" / "dp"
    as_here = {"attention.scales": "[1]", "attention.levels": "all"}
    arguments = [f"{key}={value}" for key, value in (as_here | settings).items()]
    ended = lta_run(
        capsys,
        [f"checkpoint={run}", f"images={name}", f"effect={effect}", *arguments],
        apply,
        "apply",
        lists=("effect", "images"),
        sweeps=False,
    )
    assert ended.status == 0, ended.err
    (theirs,) = Path("effects").iterdir()

    given = made.analyse_image(name, content)
    plain = {"true": True, "[B,C]": ["B", "C"]}
    attention, values = dict(ATTENTION), {}
    for key, value in settings.items():
        (values if key.startswith("effect") else attention)[key.rpartition(".")[2]] = plain.get(value, value)
    ours = made.save(given, given.seen[1], 1, Asked(effect, values, attention))
    assert ours.name == theirs.name
    assert ours.read_bytes() == theirs.read_bytes()
    assert ours.parent.parent == made.folder


def test_what_the_networks_can_not_do_is_said(made, visit):
    with pytest.raises(ValueError, match="choose a level: pc has A, B, C"):
        made.render_effect(visit, 0, asked(levels=["D"]))
    with pytest.raises(ValueError, match=r"low=0.9 must be below high=0.5"):
        made.render_effect(visit, 0, asked(low=0.9, high=0.5))
    with pytest.raises(ValueError, match="aspect=wide must be width:height"):
        made.render_effect(visit, 0, asked("crop", values={"aspect": "wide"}))
    with pytest.raises(UnusablePicture, match=r"big\.png: has 1000 x 900 pixels"):
        made.analyse_image("big.png", photograph(1000, 900))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (600, 1), (1, 500)])
def test_the_smallest_and_thinnest_pictures_work(made, width, height):
    visit = Visit(made.analyse_image("thin.png", photograph(width, height)))
    for effect in made.effects:
        made.render_effect(visit, 1, asked(effect))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"low": 2}, "low=2"),
        ({"combine": "sum"}, "attention.combine=sum"),
        ({"levels": ["D"]}, "attention.levels=D"),
        ({"edges": 0.5}, "edges=0.5"),
        ({"invert": "no"}, "attention.invert=no"),
    ],
)
def test_what_the_page_begins_with_is_checked(made, change, says):
    made.check(ATTENTION)
    with pytest.raises(ValueError, match=says):
        made.check(ATTENTION | change)
    with pytest.raises(ValueError, match=r"attention.scales=\[0\]"):
        made._replace(scales=[0]).check(ATTENTION)


def test_formats_keep_what_they_have(made):
    picture = decode_image("a.png", photograph(mode="RGBA"), made.most)
    visit = Visit(made.analyse_image("a.png", photograph(mode="RGBA")))
    pixels, _ = made.render_effect(visit, 0, asked("desaturate"))
    assert torch.equal(pixels[3], picture.alpha)
    file = made.save(visit.given, visit.given.seen[0], 0, asked("desaturate"))
    assert torch.equal(read_image(file).alpha, picture.alpha)


def half_mask(width, height):
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    stream = BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return stream.getvalue()


def test_a_mask_file_makes_the_file_of_lta_apply(made, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, mask = photograph(420, 300), half_mask(420, 300)
    Path("photo.png").write_bytes(content)
    Path("mask.png").write_bytes(mask)
    ended = lta_run(
        capsys,
        ["mask=mask.png", "images=photo.png", "effect=spotlight", "attention.feather=0.05"],
        apply,
        "apply",
        lists=("effect", "images"),
        sweeps=False,
    )
    assert ended.status == 0, ended.err
    visit = Visit(made.analyse_image("photo.png", content))
    by_mask = asked("spotlight", feather=0.05)._replace(source=MASK)
    with pytest.raises(ValueError, match=r"give a mask of photo.png: a picture of its size"):
        made.render_effect(visit, 0, by_mask)
    visit.drawn = made.read_mask(visit.given, "mask.png", mask)
    ours = made.save(visit.given, made.find_map(visit, 0, by_mask), 0, by_mask)
    assert ours.read_bytes() == Path("effects/photo_spotlight.png").read_bytes()
    pixels, said = made.render_effect(visit, 1, by_mask._replace(attention=ATTENTION))
    shown = visit.given.preview.rgb
    assert torch.equal(pixels[:, :, : shown.shape[2] // 2 - 2], shown[:, :, : shown.shape[2] // 2 - 2])
    assert not torch.equal(pixels, shown)
    assert said == ("The map is the mask mask.png.",)
    with pytest.raises(UnusablePicture, match=r"small.png has 9 x 9 pixels, and photo.png 420 x 300: a mask must have"):
        made.read_mask(visit.given, "small.png", half_mask(9, 9))


class Halves(torch.nn.Module):
    """Sure of class 1 in the left half of a picture, of the background in the right."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.asked = 0

    def forward(self, images):
        self.asked += 1
        scores = torch.zeros(1, 3, 10, 20)
        scores[:, 1, :, :10] = 20
        scores[:, 0, :, 10:] = 20
        return {"out": scores}


def test_segmentation_looks_for_a_class_once(made, visit):
    network = Halves()
    shop = made._replace(segmenter=Segmenter(network, lambda resize_size: lambda x: x.float(), ("nothing", "cat", "dog")))
    by_class = asked("cutout", edges=0.0)._replace(source=SEGMENTATION, segment="cat")
    pixels, said = shop.render_effect(visit, 0, by_class)
    width = pixels.shape[2]
    assert pixels[3, :, : width // 2 - 10].min() == 255
    assert pixels[3, :, width // 2 + 10 :].max() == 0
    assert said == ("50 % of it is cat.",)
    shop.render_effect(visit, 1, by_class)
    shop.save(visit.given, shop.find_map(visit, 0, by_class), 0, by_class)
    assert network.asked == 1
    _, said = shop.render_effect(visit, 0, by_class._replace(segment="dog"))
    assert said == ("no dog was found in it: nothing counts as attended.",)
    visit.give(visit.given)
    shop.render_effect(visit, 0, by_class)
    assert network.asked == 3, "another picture is looked at anew"
    with pytest.raises(ValueError, match="weights of the segmentation are not on this computer"):
        made.render_effect(visit, 0, by_class)


def test_all_effects_at_a_glance_are_the_effects_on_a_small_picture(made, visit):
    values = {name: {} for name in made.effects} | {"crop": {"aspect": "wide"}, "spotlight": {"strength": 0.3}}
    found = made.render_all_effects(visit, 1, asked(), values)
    assert list(found) == list(made.effects)
    assert "aspect=wide" in str(found.pop("crop"))
    small = original(visit.given.preview, GLANCE)
    mask = make_mask(visit.given.seen[1].maps, small, ATTENTION).mask
    assert torch.equal(found["spotlight"], made.effects["spotlight"](small.rgb, mask, strength=0.3))
    assert {pixels.shape[1:] for pixels in found.values()} == {small.rgb.shape[1:]}


def test_without_a_level_chosen_the_networks_own_is_taken_and_named(made, visit):
    coarse = made.networks[1]._replace(cells={"A": 15, "B": 7, "C": 3})
    shop = made._replace(networks=(made.networks[0], coarse))
    automatic, said = shop.render_effect(visit, 1, asked("heatmap", levels=[]))
    assert said == ("By level B (of 7 x 7 cells; C, the deepest, has 3).",)
    by_hand, said = shop.render_effect(visit, 1, asked("heatmap", levels=["B"]))
    assert torch.equal(automatic, by_hand)
    assert said == ()
    assert shop.render_effect(visit, 0, asked("heatmap", levels=[]))[1] == ("By level C.",)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"how": "blur"}, "blur does not anonymise: a face or a number plate can be recognised or recovered."),
        ({"how": "pixelate"}, "pixelate does not anonymise: "),
        ({"how": "fill", "strength": 0.9}, "fill below full strength leaves what was there visible."),
        ({"how": "fill"}, None),
    ],
)
def test_what_does_not_anonymise_is_said(made, visit, values, says):
    _, said = made.render_effect(visit, 0, asked("blurout", values=values))
    assert said == () if says is None else said[0].startswith(says)
