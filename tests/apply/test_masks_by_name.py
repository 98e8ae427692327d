"""mask=FOLDER images=FOLDER: each picture with its own mask, and what is said of those that have none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import lta_run
from PIL import Image, ImageDraw

from lta.apply.__main__ import apply
from lta.apply.masks import from_mask_folder
from lta.effects.autoblur import autoblur
from lta.pictures.read import UnusablePicture, read_image

POLYGON = [(5, 5), (30, 8), (25, 30), (4, 25)]
AS_USUAL = {"levels": None, "query": None, "edges": None, "feather": 0.0, "invert": False}


def lta_apply(capsys, *arguments):
    return lta_run(capsys, arguments, apply, "apply", lists=("effect", "images"), sweeps=False)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Pictures a, b, c with masks (that of c is a polygon, that of b half grey), d without; a mask of nothing, e."""
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("masks").mkdir()
    random = np.random.default_rng(0)
    for name in "abcd":
        Image.fromarray(random.integers(0, 256, (40, 60, 3), np.uint8)).save(f"mine/{name}.png")
    for name, column, light in (("a", 10, 255), ("b", 30, 128), ("e", 0, 255)):
        mask = np.zeros((40, 60), np.uint8)
        mask[10:30, column : column + 20] = light
        Image.fromarray(mask).save(f"masks/{name}_mask.png")
    shape = {"label": "thing", "points": POLYGON, "shape_type": "polygon"}
    Path("masks/c.json").write_text(json.dumps({"shapes": [shape], "imageWidth": 60, "imageHeight": 40}))
    return tmp_path


def drawn():
    mask = Image.new("L", (60, 40))
    ImageDraw.Draw(mask).polygon(POLYGON, fill=255)
    return np.asarray(mask)


def test_each_picture_follows_its_own_mask(capsys, folders):
    ended = lta_apply(capsys, "mask=masks", "images=mine", "effect=autoblur")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[0] == "not used, because no picture here has the same name: masks/e_mask.png"
    assert "left out: mine/d.png has no mask in masks" in ended.out
    assert "mine/a.png: 60 x 40; mask a_mask.png" in ended.out
    assert "mine/c.png: 60 x 40; mask drawn by masks" in ended.out
    for name, light in (("a", None), ("b", None), ("c", drawn())):
        mask = np.asarray(Image.open(f"masks/{name}_mask.png")) if light is None else light
        expected = autoblur(read_image(f"mine/{name}.png").rgb, torch.from_numpy(mask / np.float32(255)))
        assert torch.equal(read_image(f"effects/{name}_autoblur.png").rgb, expected), name
    assert not Path("effects/d_autoblur.png").exists()


def test_one_picture_or_one_file_of_polygons(capsys, folders):
    ended = lta_apply(capsys, "mask=masks", "images=mine/a.png", "effect=cutout")
    assert (ended.status, ended.err) == (0, ""), "other pictures' masks are no error"
    assert np.array_equal(np.asarray(read_image("effects/a_cutout.png").alpha), np.asarray(Image.open("masks/a_mask.png")))
    ended = lta_apply(capsys, "mask=masks/c.json", "images=mine", "effect=cutout", "out=one")
    assert ended.status == 0, ended.err
    assert [path.name for path in Path("one").iterdir()] == ["c_cutout.png"]
    assert np.array_equal(np.asarray(read_image("one/c_cutout.png").alpha), drawn())


def test_masks_below_the_pictures_are_no_pictures(capsys, folders):
    Path("masks").rename("mine/masks")
    ended = lta_apply(capsys, "mask=mine/masks", "images=mine/**", "effect=crop")
    assert ended.status == 0, ended.err
    assert sorted(path.name for path in Path("effects").iterdir()) == [f"{name}_crop.png" for name in "abc"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mask=mine", "images=mine"], "mask=mine and images= are the same folder; move the masks to another"),
        (
            ["mask=masks", "images=mine/d.png"],
            "mask=masks has no mask named like one of the pictures (no picture has the name of masks/c.json, "
            "masks/a_mask.png, masks/b_mask.png, masks/e_mask.png)",
        ),
        (["mask=empty", "images=mine"], "mask=empty has no mask named like one of the pictures (it holds no mask)"),
        (
            ["mask=masks", "images=mine", "attention.query=dog"],
            "attention.query=dog needs a network with attention",
        ),
        (["mask=nowhere", "images=mine"], "error: mask=nowhere: there is no such file or folder"),
    ],
)
def test_what_can_be_wrong_is_one_line(capsys, folders, arguments, said):
    Path("empty").mkdir()
    ended = lta_apply(capsys, *arguments, "effect=crop")
    assert (ended.status, len(ended.err.splitlines())) == (1, 1), ended.err
    assert said in ended.err
    assert not Path("effects").exists()


def test_a_mask_of_another_size_leaves_its_picture_out(folders):
    names = [Path("mine/a.png"), Path("mine/c.png")]
    Image.new("L", (9, 9), 255).save("masks/a_mask.png")
    Path("masks/c.json").write_text(Path("masks/c.json").read_text().replace('"imageWidth": 60', '"imageWidth": 61'))
    source, _ = from_mask_folder(Path("masks"), names, AS_USUAL)
    for name, said in zip(
        names, ("mine/a.png has 60 x 40 pixels, but mask=masks/a_mask.png has 9 x 9", "61x40"), strict=True
    ):
        with pytest.raises(UnusablePicture, match=said):
            source.attend(read_image(name))
