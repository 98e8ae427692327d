"""lta.teach as a user starts it, and every command that takes what it makes."""

import json

import hydra
import numpy as np
import pytest
import torch
from commands import assert_refused, lta_run
from PIL import Image, ImageDraw, ImageFilter

import lta
from lta.apply.__main__ import apply
from lta.apply.sources import from_network
from lta.cli.plugins import CONF
from lta.cli.resolvers import find_existing_run
from lta.evaluate.__main__ import evaluate
from lta.instantiate import plain
from lta.pictures.read import read_image
from lta.predict.__main__ import predict
from lta.teach import files, teacher
from lta.teach.__main__ import teach
from lta.teach.lessons import read_lessons
from lta.teach.pairs import find_pairs

pytest.importorskip("timm")


def lta_teach(capsys, *arguments):
    return lta_run(capsys, arguments, teach, "teach", sweeps=False)


def scene(seed, size=(120, 160)):
    """A chequered disc on a blurred ground, and its mask; `size` (height, width)."""
    rng = np.random.default_rng(seed)
    height, width = size
    ground = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    ground = ground.filter(ImageFilter.GaussianBlur(6))
    radius = int(rng.integers(22, 36))
    x, y = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    squares = (np.add.outer(np.arange(height) // 6, np.arange(width) // 6) % 2 * 255).astype(np.uint8)
    ground.paste(Image.fromarray(np.stack([squares, 255 - squares, squares // 2], 2)), mask=mask)
    return ground, mask


def put_scenes(folder, seeds, size=(120, 160)):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        picture, mask = scene(seed, size)
        picture.save(folder / "images" / f"{seed}.png")
        mask.save(folder / "masks" / f"{seed}.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teach")
    put_scenes(folder / "few", range(4))
    put_scenes(folder / "others", range(10, 16))
    put_scenes(folder / "others", [16], (90, 200))
    return folder


@pytest.fixture(scope="module")
def taught(place):
    """Made by the command's own parts, once."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = plain(hydra.compose("teach", overrides=["masks=few", "size=128"]))
    classifier = files.build_classifier(cfg)
    lessons = list(read_lessons(find_pairs(place / "few", None)[0], 128, 32, None))
    found = teacher.teach(classifier, lessons, cfg["ridge"])
    files.write_run(place / "taught", classifier, found, cfg)
    return place / "taught"


def test_a_map_is_taught_and_said_so(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    said = lta_teach(capsys, "masks=few", "size=128", "out=made")
    assert "taught by 4 masks in " in said.out
    assert "shorter side 128 px; 6 cues, level B" in said.out
    figures = json.loads((place / "made/taught.json").read_text())
    assert figures["masks"] == 4
    assert figures["iou"]["n"] == 4
    assert figures["iou"]["value"] > 0.6 > figures["length_iou"]["value"]
    assert (
        f"IoU {figures['iou']['value']:.3f} (threshold chosen on the other masks, ridge {figures['ridge']:g} on all)"
        in said.out
    )
    assert_refused(lta_teach(capsys, "masks=few", "out=made"), "out=made already holds a network: give another folder")
    lta_teach(capsys, "masks=few", "size=96", "out=made", "overwrite=true", "mirror=false")
    assert lta.load(place / "made").hparams["image_size"] == [96, 96]


def test_the_map_finds_the_object_in_pictures_that_taught_nothing(place, taught):
    classifier = lta.load(taught)
    assert list(classifier.class_names) == ["background", "object"]
    with torch.inference_mode():
        for seed in range(10, 16):
            picture, mask = scene(seed)
            pixels = torch.from_numpy(np.array(picture.resize((160, 128)))).permute(2, 0, 1)[None]
            output = classifier(pixels)
            attn = output.attn["B"]
            assert attn.shape == (1, 8, 10)
            assert 0 <= attn.min() <= attn.max() <= 1
            share = np.asarray(mask.resize((10, 8), Image.Resampling.BOX)) / 255
            assert (attn[0].numpy() * share).sum() / attn.sum() > 2 * share.mean(), seed
            assert output.logits.argmax(1) == 1
            torch.testing.assert_close(output.logits[0, 1] - output.logits[0, 0], output.scores["B"].max())


def test_each_mask_teaches_by_its_mirror_image_too(place, taught):
    classifier = lta.load(taught)
    (lesson, *_) = read_lessons(find_pairs(place / "few", None)[0], 128, 32, None)
    alone = list(teacher.describe_lessons(classifier, classifier.network, [lesson], mirror=False))
    upright, mirrored = teacher.describe_lessons(classifier, classifier.network, [lesson], mirror=True)
    assert len(alone) == 1
    assert upright.of == mirrored.of == 0
    assert torch.equal(mirrored.lesson.image, upright.lesson.image.flip(2))
    assert torch.equal(mirrored.lesson.mask, upright.lesson.mask.flip(1))
    assert not torch.equal(mirrored.features, upright.features)
    assert mirrored.shares.sum() > 0


def test_apply_sees_pictures_in_their_own_proportions(place, taught, capsys, monkeypatch):
    monkeypatch.chdir(place)
    shapes = []
    load = lta.inference.checkpoint.load

    def watch(*given, **named):
        classifier = load(*given, **named)
        classifier.network.register_forward_hook(lambda _, given, __: shapes.append(tuple(given[0].shape[2:])))
        return classifier

    monkeypatch.setattr("lta.inference.checkpoint.load", watch)
    arguments = ("checkpoint=taught", "images=others/images", "effect=autoblur", "out=blurred")
    said = lta_run(capsys, arguments, apply, "apply", lists=("effect", "images"), sweeps=False)
    assert (place / "blurred/16_autoblur.png").is_file(), said
    assert (128, 288) in shapes
    assert (128, 160) in shapes


def test_the_object_stays_sharp_and_the_rest_is_blurred(place, taught):
    attention = {"levels": None, "combine": "product", "scales": None, "query": None, "low": None, "high": None}
    attention |= {"edges": 0.0, "feather": 0.0, "invert": False}
    source = from_network(str(taught), "last", torch.device("cpu"), attention)
    kept, blurred = [], []
    for seed in range(10, 16):
        inside = torch.from_numpy(np.array(scene(seed)[1]) > 0)
        mask = source.attend(read_image(place / f"others/images/{seed}.png")).mask >= 0.5
        kept.append(mask[inside].float().mean())
        blurred.append((~mask)[~inside].float().mean())
    assert np.mean(kept) > 0.7
    assert np.mean(blurred) > 0.8


def test_it_is_no_run_that_could_go_on(taught):
    with pytest.raises(ValueError, match=r"holds a map of lta.teach, which can't go on: teach it again"):
        find_existing_run(str(taught))


def test_evaluate_and_predict_take_it(place, taught, capsys, monkeypatch):
    monkeypatch.chdir(place)
    few = ("evaluator.localisation.explanations=[]", "evaluator.localisation.examples=0")
    arguments = ("checkpoint=taught", "evaluator=localisation", "data=mask_folder", "data.root=others", *few)
    said = lta_run(capsys, arguments, evaluate, "evaluate", lists=("evaluator", "checkpoint"), sweeps=False)
    assert not said.err, said.err
    answer = json.loads((place / "taught/evaluations/localisation.json").read_text())
    assert "B 8x8" in said.out, said
    assert answer["figures"]
    arguments = ("checkpoint=taught", "images=others/images", "out=answers")
    lta_run(capsys, arguments, predict, "predict", lists=("format", "images"), sweeps=False)
    assert "object" in (place / "answers/predictions.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["masks=few", "size=10"], "size=10 must be a whole number, at least 32"),
        (["masks=few", "size=5000"], "size=5000 must be at most 2048 pixels"),
        (["masks=few", "ridge=0"], "ridge=0 must be a number in"),
        (["masks=few", "ridge=[]"], "ridge=[] is empty"),
        (["masks=few/masks", "images=others/images"], "belongs to no picture below others/images: take it out"),
        (["masks=few", "model.backbone.name=vit_tiny_patch16_224", "model.backbone.weights=none"], "one size only"),
        (["masks=few", "model.backbone.train=all"], "train"),
        (["masks=few", "epochs=3"], "there is no setting epochs here"),
        ([], "masks"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(place, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(place)
    assert_refused(lta_teach(capsys, *arguments, "out=never"), message)
    assert not (place / "never").exists()
