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
from lta.apply.sources import make_mask
from lta.demo import looking
from lta.demo.limits import decode_image
from lta.demo.looking import OTHER, OWN, Asked, select_seen
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
    monkeypatch.setattr(looking, "make_preview", lambda picture: original(picture, 20_000))


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
        made.render_effect(visit, 0, asked(levels=[]))
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
