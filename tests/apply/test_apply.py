"""lta.apply as a user starts it: a network's attention, or a mask, on pictures."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import lta_run
from PIL import Image
from sklearn.datasets import load_sample_image
from untrained_run import untrained_run

from lta.apply.__main__ import apply
from lta.effects.autoblur import autoblur
from lta.pictures.read import read_image


def lta_apply(capsys, *arguments):
    return lta_run(capsys, arguments, apply, "apply", lists=("effect", "images"), sweeps=False)


@pytest.fixture
def flower(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(load_sample_image("flower.jpg")[::2, ::2]).save("flower.png")
    mask = np.zeros((214, 320), np.uint8)
    mask[60:150, 100:220] = 255
    Image.fromarray(mask).save("mask.png")
    return read_image("flower.png")


def test_a_mask_may_lie_in_the_home_folder(capsys, flower, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ended = lta_apply(capsys, "mask=~/mask.png", "images=flower.png", "effect=cutout")
    assert ended.status == 0, ended.err
    ended = lta_apply(capsys, "mask=5", "images=flower.png", "effect=cutout", "out=other")
    assert ended.err == "error: mask=5: there is no such file or folder\n"


def test_a_mask_drives_the_effect_exactly(capsys, flower):
    ended = lta_apply(capsys, "mask=mask.png", "images=flower.png", "effect=autoblur,cutout")
    assert ended.status == 0, ended.err
    mask = (read_image("mask.png").rgb[0] > 0).float()
    assert torch.equal(read_image("effects/flower_autoblur.png").rgb, autoblur(flower.rgb, mask))
    cut = read_image("effects/flower_cutout.png")
    assert torch.equal(cut.alpha, (255 * mask).to(torch.uint8))
    *said, last = ended.out.splitlines()[-5:]
    assert said == [
        "flower.png: 320 x 214",
        "  effects/flower_autoblur.png",
        "  effects/flower_cutout.png",
        "  effects/flower_sheet.png",
    ]
    assert re.fullmatch(r"1 picture in \d+\.\d s", last)
    lta_apply(capsys, "mask=mask.png", "images=flower.png", "effect=spotlight", "attention.invert=true", "out=inverse")
    changed = (read_image("inverse/flower_spotlight.png").rgb != flower.rgb).any(0)
    assert not changed[mask == 0].any()
    assert changed[mask == 1].float().mean() > 0.9


def test_a_network_attends_and_every_effect_is_made(capsys, flower, tmp_path):
    run = untrained_run(tmp_path / "run", "model.init.scorer=author")
    ended = lta_apply(capsys, f"checkpoint={run}", "images=flower.png", "effect=all", "attention.levels=[B,C]")
    assert ended.status == 0, ended.err
    assert "%); levels B, C" in ended.out
    names = ("autoblur", "blurout", "spotlight", "desaturate", "heatmap", "cutout", "crop", "sheet")
    assert [line.strip() for line in ended.out.splitlines()[-9:-1]] == [f"effects/flower_{name}.png" for name in names]
    assert not torch.equal(read_image("effects/flower_autoblur.png").rgb, flower.rgb)
    assert read_image("effects/flower_sheet.png").rgb.shape[2] > 3 * 512
    ended = lta_apply(capsys, f"checkpoint={run}", "images=flower.png", "effect=crop", "attention.levels=[D]", "out=none")
    assert "attention.levels=D is unknown; choose one of A, B, C" in ended.err


def test_what_has_more_channels_or_another_size(capsys, flower):
    picture = Image.open("flower.png")
    picture.putalpha(Image.open("mask.png"))
    picture.save("seen.png")
    picture.convert("RGB").save("photo.jpg", quality=90)
    Image.new("RGB", (9, 9)).save("small.png")
    ended = lta_apply(capsys, "mask=mask.png", "images=seen.png,photo.jpg,small.png", "effect=desaturate")
    assert ended.status == 0, "the others are still made"
    assert "left out: small.png has 9 x 9 pixels, but mask=mask.png has 320 x 214" in ended.out
    assert re.search(r"^2 pictures in \d+\.\d s, \d+\.\d\d s each$", ended.out, re.MULTILINE)
    assert torch.equal(read_image("effects/seen_desaturate.png").alpha, read_image("seen.png").alpha)
    assert read_image("effects/photo_desaturate.jpg").alpha is None
    lta_apply(capsys, "mask=mask.png", "images=photo.jpg", "effect=cutout")
    assert read_image("effects/photo_cutout.png").alpha is not None, "JPEG keeps no transparency"
    picture.convert("RGB").save("photo.png")
    lta_apply(capsys, "mask=mask.png", "images=photo.jpg,photo.png", "effect=cutout", "out=both")
    assert sorted(path.name for path in Path("both").iterdir()) == ["photo_2_cutout.png", "photo_cutout.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["mask=mask.png", "segmentation=person", "images=flower.png", "effect=crop"],
            "segmentation and mask are given, but attention comes from only one source: checkpoint=RUN, ",
        ),
        (["backbone=renset", "images=flower.png", "effect=crop"], "error: backbone=renset: timm "),
        (
            ["attention.levels=all", "images=flower.png", "effect=crop"],
            "attention.levels=all needs a network with attention",
        ),
        (["mask=mask.png", "images=flower.png"], "effect=... must be given; choose one or more of all, autoblur"),
        (["mask=mask.png", "images=flower.png", "effect=smear"], "effect=smear is unknown; choose one of all, autoblur"),
        (["mask=mask.png", "images=nowhere.png", "effect=crop"], "nowhere.png: there is no such file or folder"),
        (["mask=none.png", "images=flower.png", "effect=crop"], "error: mask=none.png: there is no such file or folder"),
        (
            ["mask=mask.png", "images=flower.png", "effect=crop", "effect.crop.keep=2"],
            "effect.crop.keep=2 must be a number ",
        ),
        (
            ["mask=mask.png", "images=flower.png", "effect=all", "effect.crop.aspect=wide"],
            "effect.crop.aspect=wide must be ",
        ),
        (
            ["mask=mask.png", "images=flower.png", "effect=all", "effect.heatmap.colours=red"],
            "effect.heatmap.colours=red is ",
        ),
        (
            ["mask=mask.png", "images=flower.png", "effect=autoblur", "effect.autoblur.radius=far"],
            "effect.autoblur.radius=far",
        ),
        (
            [
                "mask=mask.png",
                "images=flower.png",
                "effect=blurout",
                "effect.blurout.how=pixelate",
                "effect.blurout.radius=far",
            ],
            "effect.blurout.radius=far must be a share",
        ),
        (
            ["mask=mask.png", "images=flower.png", "effect=blurout", "effect.blurout.colour=red"],
            "effect.blurout.colour=red must be red, green and blue",
        ),
        (["mask=mask.png", "images=flower.png", "effect=crop", "overwrite=yes"], "overwrite=yes must be true or false"),
        (["mask=mask.png", "images=flower.png", "effect=crop", "attention.levels=[C]"], "(checkpoint=RUN), but mask"),
        (["mask=mask.png", "images=flower.png", "effect=crop", "seed=1"], "there is no setting seed"),
        (["mask=mask.png", "images=flower.png", "effect=crop", "out=flower.png"], "can't be written"),
    ],
)
def test_what_can_be_wrong_is_one_line(capsys, flower, arguments, says):
    ended = lta_apply(capsys, *arguments)
    assert (ended.status, len(ended.err.splitlines())) == (1, 1), ended.err
    assert says in ended.err
    assert torch.equal(read_image("flower.png").rgb, flower.rgb)
    assert not Path("effects").exists(), "all of it is found before the first picture"


def test_the_file_that_is_filled_says_nothing_of_what_was_there(capsys, flower):
    """Byte for byte: not in its pixels, nor in anything else that is written."""
    mask = np.asarray(Image.open("mask.png")) > 0
    pixels = np.array(Image.open("flower.png"))
    Path("other").mkdir()
    Image.fromarray(np.where(mask[..., None], 255 - pixels, pixels)).save("other/flower.png")
    files = []
    for name in ("flower.png", "other/flower.png"):
        ended = lta_apply(
            capsys, "mask=mask.png", f"images={name}", "effect=blurout", "effect.blurout.how=fill", "overwrite=true"
        )
        assert ended.status == 0, ended.err
        files.append(Path("effects/flower_blurout.png").read_bytes())
    assert files[0] == files[1]


def test_nothing_is_written_over_unasked(capsys, flower):
    def blurred(*more):
        return lta_apply(capsys, "mask=mask.png", "images=flower.png", *more)

    Path("effects").mkdir()
    Path("effects/flower_autoblur.png").write_text("mine")
    ended = blurred("effect=autoblur")
    assert (ended.status, ended.err) == (
        1,
        "error: effects/flower_autoblur.png already exists: "
        "overwrite=true replaces existing files, out=FOLDER writes elsewhere\n",
    )
    Path("effects/flower_sheet.png").write_text("mine too")
    assert "flower_autoblur.png already exists (and 1 more of the results): " in blurred("effect=autoblur,cutout").err
    assert [file.read_text() for file in sorted(Path("effects").iterdir())] == ["mine", "mine too"]
    assert blurred("effect=cutout").status == 0, "one effect makes no sheet"
    assert blurred("effect=autoblur,cutout", "overwrite=true").status == 0
    assert read_image("effects/flower_sheet.png").rgb.shape[0] == 3
