"""What stands on the page: pictures as they are, names as text."""

import re
from base64 import b64decode
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_page import networks, photograph, workshop

from lta.demo import figures
from lta.demo.examples import list_examples
from lta.inference.windows import Seen

DIGITS = ", ".join(f"digit {k}" for k in range(10))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return workshop(tmp_path_factory.mktemp("shop"), "pc")


def shown(html):
    """The pictures in it."""
    found = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', html)
    return [(kind, np.asarray(Image.open(BytesIO(b64decode(content))))) for kind, content in found]


@pytest.mark.parametrize("channels", [3, 4])
def test_pictures_are_in_the_page_with_what_they_show(channels):
    pixels = torch.full((channels, 20, 30), 200, dtype=torch.uint8)
    pixels[:, :, :15] = 40
    html = figures.render_image(pixels, "half & half", "a <caption>", "result")
    ((kind, array),) = shown(html)
    assert kind == ("jpeg" if channels == 3 else "webp")
    assert array.shape == (20, 30, channels)
    assert np.abs(array.astype(int) - pixels.permute(1, 2, 0).numpy()).mean() < 4
    assert 'alt="half &amp; half"' in html
    assert "<figcaption>a &lt;caption&gt;</figcaption>" in html
    assert 'class="lta-result"' in html


def test_before_lies_over_a_result_of_the_same_size(made):
    pixels = torch.zeros(3, 20, 30, dtype=torch.uint8)
    html = figures.render_result(pixels, "a.png with the effect autoblur", (30, 20))
    assert len(shown(html)) == 1
    assert '<span class="lta-before" aria-hidden="true">' in html
    assert "--lta-ratio: 1.5000; --lta-width: 30px" in html
    assert "lta-before" not in figures.render_result(pixels, "a crop", (31, 20))
    given = made.analyse_image("a.png", photograph())
    ((_, array),) = shown(figures.render_input(given))
    (before,) = re.findall(r'--lta-before: url\("data:image/jpeg;base64,([^"]+)"\)', figures.render_input(given))
    assert np.array_equal(np.asarray(Image.open(BytesIO(b64decode(before)))), array)
    assert "--lta-before" not in figures.render_input(given, small=True)


def test_what_knows_no_classes_predicts_none(made):
    given = made.analyse_image("a.png", photograph())
    (network,) = made.networks
    assert "lta-prediction" in figures.render_output(network, given, given.seen[0], "")
    untaught = SimpleNamespace(hparams={"taught_by": {"labels": False, "masks": 0}})
    html = figures.render_output(network._replace(classifier=untaught), given, given.seen[0], "")
    assert "lta-prediction" not in html
    assert "attention map of level A" in html


def test_the_maps_of_all_levels_are_drawn_and_said(made):
    given = made.analyse_image("a.png", photograph())
    given.seen[0].maps["B"].fill_(1)
    html = figures.render_maps(given, given.seen[0])
    assert len(shown(html)) == 3
    assert all(array.shape == (171, 256, 3) for _, array in shown(html))
    highest = given.seen[0].maps["A"].max()
    assert f"A: up to {highest:.1f} x uniform" in html
    assert "B: uniform: it prefers nothing" in html
    assert 'alt="attention map of level C: up to' in html


def test_the_likeliest_classes_stand_in_order(made):
    probabilities = torch.tensor([0.05, 0.5, 0.0, 0.3, 0.15, 0, 0, 0, 0, 0])
    html = figures.render_prediction(made.networks[0], Seen({}, probabilities, {}))
    assert re.findall(r"<span>([^<]+)</span>", html) == ["digit 1", "50 %", "digit 3", "30 %", "digit 4", "15 %"]
    assert re.findall(r"width:([\d.]+)%", html) == ["50.0", "30.0", "15.0"]


def test_what_comes_from_outside_is_text():
    nasty = """<b onclick='x'>"&${alert(1)}{{this}}`"""
    assert not set("<>\"'$`{}") & set(figures.escape_text(nasty))
    for html in (
        figures.render_notes([nasty]),
        figures.render_problem(nasty),
        figures.render_image(torch.zeros(3, 2, 2).byte(), nasty, nasty),
    ):
        assert nasty not in html
        assert "<b" not in html


def test_the_gallery_is_made_of_buttons():
    html = figures.render_gallery("Examples", list_examples())
    assert re.findall(r'data-number="(\d+)"', html) == [str(number) for number in range(len(list_examples()))]
    assert all(array.shape == (figures.THUMBNAIL, figures.THUMBNAIL, 3) for _, array in shown(html))
    assert 'title="Stefan van der Walt, CC0"' in html


def test_a_networks_heading_tells_what_it_knows(tmp_path):
    (network,) = networks(tmp_path, "pc")
    assert network.about == f"Sees a picture at 32 x 32 pixels and assigns it to one of 10 classes: {DIGITS}."
    (tmp_path / "pc" / "results.json").write_text(
        '{"test": {"error": 12.34}, "test_images": 2000, "test_checkpoint": "last"}'
    )
    (network,) = figures_networks(tmp_path)
    assert network.about.endswith(". Test error 12.3 % (2,000 images).")
    assert figures.render_heading(network).startswith('<h2 class="lta-network">pc</h2>')


def figures_networks(folder):
    from lta.demo.networks import load_networks

    return load_networks([str(folder / "pc")], "last", torch.device("cpu"))
