"""What happens when the page is used, without a server: what its handlers return."""

from pathlib import Path

import pytest
from pretended_page import ATTENTION, photograph, workshop

gr = pytest.importorskip("gradio")

from lta.demo import controls  # noqa: E402
from lta.demo.handlers import FORGOTTEN, PARTS, Handlers, hide_idle_controls, leave_mask, show_only_chosen  # noqa: E402
from lta.demo.looking import MASK, NETWORK, OTHER, OWN, SEGMENTATION  # noqa: E402
from lta.demo.visits import Visits  # noqa: E402
from lta.pictures.read import read_image  # noqa: E402

SKIPPED = gr.skip()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    shop = workshop(tmp_path_factory.mktemp("shop"), "pc", "dp")
    shop.folder.mkdir()
    return shop


@pytest.fixture
def page(made, tmp_path):
    example = tmp_path / "example.png"
    example.write_bytes(photograph(seed=5))
    keywords = {name: tuple(effect.keywords) for name, effect in made.effects.items()}
    return Handlers(made, Visits(), keywords, tuple(ATTENTION), [example])


def request(key="page"):
    return gr.Request(session_hash=key)


def chosen(number):
    return gr.EventData(None, {"number": number})


def held(page, effect="spotlight", query=OWN, effect_values=None, source=NETWORK, **attention):
    """What the controls hold, in their order."""
    values = {
        name: {key: controls.to_control_value(key, value) for key, value in page.workshop.effects[name].keywords.items()}
        for name in page.effects
    }
    values[effect] |= effect_values or {}
    flat = [value for name in values for value in values[name].values()]
    return [effect, *flat, *(ATTENTION | attention).values(), source, "person", query]


def uploaded(page, name="photo.png", content=None):
    file = page.workshop.folder / "hash" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(photograph() if content is None else content)
    return str(file)


def test_an_upload_is_seen_shown_and_removed(page):
    file = uploaded(page)
    field, given, *parts = page.upload(request(), file, *held(page))
    assert field is None
    assert not Path(file).exists(), "what is needed of it is in memory"
    assert "photo.png, 90 x 60 pixels" in given
    assert len(parts) == 2 * PARTS
    results, rest = parts[:4], parts[4:]
    assert ["photo.png with the effect spotlight" in part for part in results] == [True, False, True, False]
    assert [part["interactive"] for part in (rest[0].constructor_args, rest[2].constructor_args)] == [True, True]
    assert all("attention map of level A" in part for part in (rest[1], rest[3]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no picture", "bad&lt;.png: is no picture"),
        (bytes(1_000_001), "at most 0.953674 MB are allowed"),
        (photograph(900, 800), "has 900 x 800 pixels; at most 400,000 are read"),
    ],
)
def test_what_can_not_be_used_is_said_and_changes_nothing(page, content, says):
    page.upload(request(), uploaded(page), *held(page))
    before = page.visits.get_visit("page").given
    for handler, parts in ((page.upload, 1 + 2 * PARTS), (page.upload_other, 2 + 2 * PARTS)):
        file = uploaded(page, "bad<.png", content)
        with pytest.warns(UserWarning, match=says):
            answer = handler(request(), file, *held(page))
        assert answer == [None] + [SKIPPED] * parts, "the field is ready for the next"
        assert not Path(file).exists()
    assert page.visits.get_visit("page").given is before
    assert page.visits.get_visit("page").other is None
    with pytest.warns(UserWarning, match=r"gone\.png could not be read; give it again \(No such file or directory\)"):
        page.upload(request(), str(page.workshop.folder / "gone.png"), *held(page))
    assert page.upload(request(), None, *held(page)) == [None] + [SKIPPED] * (1 + 2 * PARTS)


def test_pages_have_pictures_of_their_own_until_they_are_left(page):
    page.upload(request("one"), uploaded(page), *held(page))
    page.show_first_example(request("two"), *held(page))
    assert "photo.png" in page.update_results(request("one"), *held(page))[0]
    assert "example.png" in page.update_results(request("two"), *held(page))[0]
    page.leave(request("one"))
    assert len(page.visits) == 1
    result, said, *_ = page.update_results(request("one"), *held(page))
    assert result == SKIPPED
    assert FORGOTTEN in said
    with pytest.raises(gr.Error, match="Give it again"):
        page.save(0)(request("one"), *held(page))


def test_a_wrong_value_is_said_below_the_last_result(page):
    page.choose_example(request(), chosen(0), *held(page))
    for wrong, says in (
        (held(page, low=0.9, high=0.2), "low=0.9 must be below high=0.2"),
        (held(page, levels=["D"]), "choose a level: pc has A, B, C"),
        (held(page, source=MASK), "give a mask of example.png: a picture of its size, white where it counts"),
        (held(page, "crop", effect_values={"aspect": "<b>"}), "aspect=&lt;b&gt; must be width:height"),
        (held(page, "blurout", effect_values={"colour": "red"}), "colour=red must be a colour"),
    ):
        result, said, *_ = page.update_results(request(), *wrong)
        assert result == SKIPPED
        assert 'role="alert"' in said
        assert says in said
        with pytest.raises(gr.Error) as raised:
            page.save(0)(request(), *wrong)
        assert says in raised.value.message
    result, said, *_ = page.update_results(request(), *held(page))
    assert "with the effect spotlight" in result
    assert said == ""


def test_another_pictures_query_is_asked_and_taken_back(page):
    other = page.upload_other(request(), uploaded(page, "other.png", photograph(seed=9)), *held(page))
    assert other[0] is None
    assert other[2].constructor_args["value"] == OTHER
    assert other[-1] == SKIPPED, "there is no picture yet"
    own = page.upload(request(), uploaded(page), *held(page))
    swapped = page.change_query(request(), *held(page, query=OTHER))
    ignores, acts = swapped[-3], swapped[-1]
    assert "It ignores the query of other.png." in ignores
    assert "Asked with the query of other.png:" in acts
    assert swapped[0] == own[2], "the network that ignores it"
    assert swapped[2] != own[4]
    assert page.change_query(request(), *held(page))[:4] == own[2:6]
    at_once = page.choose_other_example(request(), chosen(0), *held(page))
    assert "Asked with the query of example.png:" in at_once[-1]
    assert page.visits.get_visit("page").other.name == "example.png"


def test_files_are_made_of_what_is_shown_and_removed_with_the_page(page):
    page.upload(request(), uploaded(page, "photo.png", photograph(300, 200)), *held(page))
    first, second = (Path(page.save(number)(request(), *held(page))) for number in (0, 1))
    assert first.name == second.name == "photo_spotlight.png"
    assert read_image(first).rgb.shape == (3, 200, 300)
    assert first.read_bytes() != second.read_bytes()
    again = Path(page.save(0)(request(), *held(page, "cutout")))
    assert again.name == "photo_cutout.png"
    assert [first.exists(), second.exists(), again.exists()] == [False, True, True]
    page.leave(request())
    assert not second.parent.exists()
    assert not again.parent.exists()


def test_a_mask_becomes_the_source_until_another_picture_comes(page):
    with pytest.warns(UserWarning, match="There is no picture"):
        assert page.upload_mask(request(), uploaded(page, "mask.png"), *held(page)) == [None] + [SKIPPED] * 5
    page.upload(request(), uploaded(page), *held(page))
    with pytest.warns(UserWarning, match=r"mask.png has 9 x 6 pixels, and photo.png 90 x 60"):
        page.upload_mask(request(), uploaded(page, "mask.png", photograph(9, 6)), *held(page))
    file = uploaded(page, "mask.png", photograph(seed=3))
    field, source, result, said, *_ = page.upload_mask(request(), file, *held(page))
    assert (field, source.constructor_args["value"]) == (None, MASK)
    assert not Path(file).exists()
    assert "photo.png with the effect spotlight" in result
    assert "The map is the mask mask.png." in said
    assert page.update_results(request(), *held(page, source=MASK))[0] == result
    saved = Path(page.save(0)(request(), *held(page, source=MASK)))
    assert read_image(saved).rgb.shape == (3, 60, 90)
    _, result, said, *_ = page.choose_example(request(), chosen(0), *held(page, source=MASK))
    assert "example.png" in result
    assert said == "", "by the network"
    assert [leave_mask(one) for one in (MASK, SEGMENTATION, NETWORK)] == [NETWORK, SEGMENTATION, NETWORK]


def test_one_of_all_effects_at_a_glance_is_chosen(page):
    assert FORGOTTEN in page.show_all_effects(0)(request(), *held(page))
    page.upload(request(), uploaded(page), *held(page))
    shown = page.show_all_effects(1)(request(), *held(page, "crop", effect_values={"aspect": "wide"}))
    assert shown.count("<button") == len(page.effects) - 1
    assert "crop: aspect=wide must be width:height" in shown
    place = list(page.effects).index("heatmap")
    assert f'data-number="{place}"' in shown
    radio, result, *_ = page.choose_effect(request(), chosen(place), *held(page))
    assert radio.constructor_args["value"] == "heatmap"
    assert result == page.update_results(request(), *held(page, "heatmap"))[0]


def test_controls_that_change_nothing_are_hidden():
    shown = hide_idle_controls(("strength", "how", "radius", "colour"))
    assert [part["visible"] for part in shown(1, "fill", 0.1, "#000000")] == [True, True, False, True]
    assert [part["visible"] for part in shown(1, "blur", 0.1, "#000000")] == [True, True, True, False]
    assert [part["visible"] for part in show_only_chosen(["a", "b"])("b")] == [False, True]
