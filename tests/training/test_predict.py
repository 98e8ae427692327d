"""`lta.load(RUN).predict(...)`: the same figures as the network's own, of pictures in any form."""

import json

import numpy as np
import pytest
import torch
from commands import TINY, lta_run
from PIL import Image, ImageOps
from untrained_run import untrained_run

import lta
from lta.data.image_folder import ImageFolder
from lta.evaluators.classification.evaluator import Classification
from lta.instantiate import build
from lta.pictures.read import read_image
from lta.training.classifier import Classifier
from lta.training.prediction import Prediction

PICTURES = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8).repeat(4, 1).repeat(4, 2)
"""Ten of 32x32 pixels, in blocks: what a network sees of noise is alike."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("predict") / "run", "model.init.scorer=author")


@pytest.fixture(scope="module")
def classifier(run):
    return lta.load(run)


@pytest.fixture(scope="module")
def expected(classifier):
    with torch.no_grad():
        output = classifier(torch.from_numpy(PICTURES).permute(0, 3, 1, 2))
    probabilities = output.logits.softmax(1)
    assert torch.pdist(probabilities).min() > 0.01, "or order could not be seen"
    return probabilities, output.attn


def photograph(seed=0, size=(50, 70)):
    """A smooth one, height and width `size`."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC)


def alike(one, other):
    assert torch.equal(one.probabilities, other.probabilities)
    assert all(torch.equal(one.maps[level], other.maps[level]) for level in ("A", "B", "C"))


# The same as the network's own


def test_what_comes_back(classifier, expected):
    found = classifier.predict(PICTURES)
    probabilities, attn = expected
    assert isinstance(found, Prediction)
    assert torch.equal(found.probabilities, probabilities)
    assert torch.equal(found.indices, probabilities.argmax(1))
    assert found.labels == [f"digit {index}" for index in found.indices]
    assert found.class_names == classifier.class_names
    assert list(found.maps) == ["A", "B", "C"]
    assert all(torch.equal(found.maps[level], attn[level]) for level in attn)
    assert found.maps["B"].shape == (10, 16, 16)
    assert {tensor.dtype for tensor in (found.probabilities, *found.maps.values())} == {torch.float32}


def test_batches_change_neither_order_nor_figures(classifier, expected):
    for batch_size in (1, 3, 10):
        found = classifier.predict(PICTURES, batch_size=batch_size)
        assert torch.allclose(found.probabilities, expected[0], atol=1e-6)
        assert torch.allclose(found.maps["A"], expected[1]["A"], atol=1e-6)
    backwards = classifier.predict(PICTURES[::-1], batch_size=4)
    assert torch.allclose(backwards.probabilities.flip(0), expected[0], atol=1e-6)
    with pytest.raises(ValueError, match="batch_size=0 must be a whole number, at least 1"):
        classifier.predict(PICTURES, batch_size=0)


def test_a_folder_is_seen_as_the_evaluator_sees_it(classifier, tmp_path):
    """Sizes, JPEGs large enough to be decoded at a smaller scale, alpha, 16 bits, orientation: all of them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(4):
        for part in ("train", "test"):
            folder = tmp_path / part / f"digit {number}"
            folder.mkdir(parents=True)
            photograph(number, (300, 500)).save(folder / "large.jpg", exif=exif)
            photograph(number + 9, (20, 31)).save(folder / "small.png")
            photograph(number).convert("RGBA").rotate(30).save(folder / "turned.png")
            grey = np.asarray(photograph(number + 5).convert("L")).astype(np.uint16) * 257
            Image.fromarray(grey).save(folder / "x_grey.png")
    data = ImageFolder(str(tmp_path), val_size=0, cache="off")
    data.setup()
    with torch.no_grad():
        output = classifier(torch.from_numpy(data.test.images).permute(0, 3, 1, 2))
    found = classifier.predict(f"{tmp_path}/test/**")
    assert torch.allclose(found.probabilities, output.logits.softmax(1), atol=1e-6)
    data.test.labels[:] = found.indices
    data.class_names = classifier.class_names
    assert Classification().run(classifier, data).figures["error"]["value"] == 0, "the evaluator finds the same classes"


def test_16_bits_are_seen_from_the_range_that_training_saw_them_from(run, tmp_path):
    classifier = lta.load(run)
    dark = (np.asarray(photograph(size=(32, 32)).convert("L")).astype(np.uint16) * 16).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "a.png")
    bright = Image.fromarray(np.rint(dark.astype(np.float32) * (255 / 4080)).astype(np.uint8))
    before = classifier.predict(tmp_path / "a.png")
    classifier.hparams["config"]["data"]["grey_range"] = [0, 4080]
    for form in (tmp_path / "a.png", Image.open(tmp_path / "a.png")):
        alike(classifier.predict(form), classifier.predict(bright))
    assert not torch.equal(before.probabilities, classifier.predict(bright).probabilities)


# Pictures in any form


def test_forms_of_one_picture(classifier, tmp_path):
    picture, path = PICTURES[3], tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)
    scaled = picture.astype(np.float64) / 255
    forms = [
        picture,
        picture[None],
        scaled,
        scaled.astype(np.float32),
        tensor,
        tensor[None],
        tensor / 255,
        tensor.double() / 255,
        Image.fromarray(picture),
        Image.open(path),
        path,
        str(path),
        read_image(path),
        np.asfortranarray(picture),
        np.dstack([picture, np.full((32, 32), 255, np.uint8)]),
        (tensor / 255).requires_grad_(),
    ]
    first = classifier.predict(picture)
    for form in [*forms, [picture], (tensor,), [str(path)]]:
        alike(classifier.predict(form), first)
    mixed = classifier.predict([*forms, PICTURES[:2]])
    assert mixed.indices.tolist() == first.indices.tolist() * len(forms) + classifier.predict(PICTURES[:2]).indices.tolist()


def test_forms_of_one_grey_picture(classifier):
    grey = PICTURES[0, ..., 0]
    first = classifier.predict(grey[..., None].repeat(3, 2))
    for form in (grey, grey[..., None], grey[None, ..., None], grey / 255, Image.fromarray(grey)):
        alike(classifier.predict(form), first)


def test_floats_are_rounded_and_may_be_of_half_precision(classifier):
    low, high = PICTURES[0] // 2, np.where(PICTURES[0] > 127, np.uint8(255), np.uint8(0))
    alike(classifier.predict((low + 0.6) / 255), classifier.predict(low + 1))
    for half in (torch.float16, torch.bfloat16):
        alike(classifier.predict((torch.from_numpy(high) / 255).permute(2, 0, 1).to(half)), classifier.predict(high))


def test_the_network_itself_takes_no_floats(classifier, shapes_unchecked):
    with pytest.raises(ValueError, match=r"takes uint8 pictures, 0 to 255, and got torch.float32: predict takes floats"):
        classifier(torch.rand(1, 3, 32, 32))


def test_other_sizes_are_scaled_by_the_shortest_side_and_cut_in_the_centre(classifier):
    picture = photograph()
    by_hand = ImageOps.fit(picture, (32, 32), Image.Resampling.BICUBIC)
    squeezed = picture.resize((32, 32), Image.Resampling.BICUBIC)
    found = classifier.predict(picture)
    alike(found, classifier.predict(by_hand))
    assert not torch.allclose(found.probabilities, classifier.predict(squeezed).probabilities, atol=1e-3)
    pixels = np.asarray(picture)
    for form in (pixels, torch.from_numpy(pixels.copy()).permute(2, 0, 1), pixels[None]):
        alike(classifier.predict(form), found)


def test_pictures_stand_upright_and_on_white(classifier, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph().save(tmp_path / "a.png", exif=exif)
    upright = classifier.predict(photograph().rotate(-90, expand=True))
    for form in (tmp_path / "a.png", Image.open(tmp_path / "a.png"), read_image(tmp_path / "a.png")):
        alike(classifier.predict(form), upright)
    hidden = photograph().convert("RGBA")
    hidden.putalpha(photograph(1).convert("L"))
    hidden.save(tmp_path / "b.png")
    white = Image.new("RGBA", hidden.size, "white")
    shown = classifier.predict(Image.alpha_composite(white, hidden).convert("RGB"))
    for form in (tmp_path / "b.png", hidden, read_image(tmp_path / "b.png"), np.asarray(hidden)):
        alike(classifier.predict(form), shown)


def test_formats_that_image_folder_does_not_know(classifier, tmp_path):
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.jp2")
    alike(classifier.predict(tmp_path / "a.jp2"), classifier.predict(PICTURES[0]))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "there is no picture to predict: an empty list was given; give a path"),
        (np.zeros((0, 32, 32, 3), np.uint8), r"array of the shape \(0, 32, 32, 3\), is empty"),
        (None, "picture 0 is of the type NoneType; give a path, a PIL image"),
        ({"a": 1}, "picture 0 is of the type dict"),
        (b"\x89PNG", "picture 0 is of the type bytes"),
        ([PICTURES[0], 5], "picture 1 is of the type int"),
        ([[PICTURES[0]]], "picture 0 is of the type list"),
        (
            np.zeros((32, 32, 2), np.uint8),
            r"array of the shape \(32, 32, 2\), is not a picture: arrays are \(H, W\) or \(H, W, C",
        ),
        (np.zeros((3, 32, 32), np.uint8), r"array of the shape \(3, 32, 32\), is not a picture"),
        (np.zeros(32, np.uint8), "is not a picture"),
        (np.zeros((3, 32, 3), np.uint8), r"array of the shape \(3, 32, 3\), could have its channels first or last"),
        (np.zeros((2, 3, 32, 4), np.uint8), "could have its channels first or last"),
        (torch.zeros(3, 32, 3), r"tensor of the shape \(3, 32, 3\), could have its channels first or last"),
        (torch.zeros(32, 32, 3), r"tensor of the shape \(32, 32, 3\), is not a picture: tensors are \(3, H, W\), several"),
        (torch.zeros(1, 32, 32), "is not a picture: tensors are"),
        (torch.zeros(2, 2, 3, 32, 32), "is not a picture: tensors are"),
        (torch.zeros(3, 0, 32), "is empty"),
        (
            np.full((32, 32, 3), 200.0),
            "holds values from 200 to 200: floats must be from 0 to 1; bytes from 0 to 255 are given",
        ),
        (torch.full((3, 32, 32), -0.1), "holds values from -0.1 to -0.1"),
        (np.full((32, 32, 3), np.nan), "holds NaN"),
        (torch.full((3, 32, 32), np.inf), "holds values from inf to inf"),
        (np.zeros((32, 32, 3), np.int64), "is of int64; give uint8"),
        (torch.zeros(3, 32, 32, dtype=torch.bool), "is of bool; give uint8"),
        ("nowhere.jpg", r"nowhere\.jpg: there is no such file or folder"),
        (
            Image.fromarray(np.zeros((9, 9), np.int32)),
            "picture 0, a PIL image, can't be used: 32-bit pixels of unknown range",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_picture_is_named(classifier, given, says):
    with pytest.raises(ValueError, match=says) as error:
        classifier.predict(given)
    assert "\n" not in str(error.value)


def test_files_that_are_no_pictures_are_named(classifier, tmp_path):
    (tmp_path / "a.png").write_text("hello")
    Image.fromarray(PICTURES[0]).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:300])
    for name, says in (("a.png", "is no picture of a known format"), ("c.png", "can't be read: image file is truncated")):
        with pytest.raises(ValueError, match=rf"{name}:? {says}"):
            classifier.predict([tmp_path / "b.png", tmp_path / name])


# What is left as it was


def test_nothing_of_the_network_or_the_process_is_changed(run):
    classifier = lta.load(run).train()
    classifier.network.trunk.eval()
    modes = [module.training for module in classifier.modules()]
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    array, tensor = PICTURES.copy(), torch.rand(3, 32, 32, requires_grad=True)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = classifier.predict([array, tensor])
    assert [module.training for module in classifier.modules()] == modes
    assert len(set(modes)) == 2
    assert all(torch.equal(value, weights[name]) for name, value in classifier.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert np.array_equal(array, PICTURES)
    assert tensor.grad is None
    assert torch.is_grad_enabled()
    alike(classifier.eval().predict([array, tensor]), first)  # dropout was off
    with pytest.raises(ValueError, match="nowhere"):
        classifier.train().predict("nowhere")
    assert classifier.training


def test_an_error_inside_leaves_the_mode_as_it_was(run, monkeypatch):
    classifier = lta.load(run).train()
    monkeypatch.setattr(classifier, "forward", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        classifier.predict(PICTURES)
    assert all(module.training for module in classifier.network.modules())


def test_what_comes_back_can_be_worked_with_and_the_network_be_trained(run):
    classifier = lta.load(run)
    found = classifier.predict(PICTURES)
    assert not found.probabilities.requires_grad
    found.probabilities[0] = 0  # an inference tensor would refuse this
    found.maps["A"].mul_(2)
    weight = torch.ones(10, requires_grad=True)
    (found.probabilities * weight).sum().backward()
    classifier.train()(torch.from_numpy(PICTURES).permute(0, 3, 1, 2)).logits.sum().backward()
    assert weight.grad is not None


def test_another_default_device_of_the_process(classifier, expected, tmp_path):
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    with torch.device("meta"):
        found = classifier.predict([PICTURES, tmp_path / "a.png", Image.fromarray(PICTURES[1])])
    assert torch.allclose(found.probabilities[:10], expected[0], atol=1e-6)
    assert found.probabilities.device.type == found.maps["A"].device.type == found.indices.device.type == "cpu"
    assert found.indices[10:].tolist() == found.indices[:2].tolist()


def test_pictures_go_where_the_network_is(run, monkeypatch):
    """No GPU here: "meta" holds no values, but refuses tensors of another device."""
    classifier = lta.load(run).to("meta")
    seen = []
    monkeypatch.setattr(Classifier, "forward", lambda self, images: seen.append(images.device.type) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        classifier.predict(PICTURES)
    assert seen == ["meta"]
    assert next(classifier.parameters()).device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(run, expected):
    classifier = lta.load(run).cuda()
    found = classifier.predict(PICTURES)
    assert found.probabilities.device.type == "cpu"
    assert torch.allclose(found.probabilities, expected[0], atol=1e-3)
    assert classifier.device.type == "cuda"


# Other networks, and what is shown


def test_a_network_without_attention_has_no_maps(tmp_path):
    found = lta.load(untrained_run(tmp_path / "run", "model=vgg_gap")).predict(PICTURES[:1])
    assert list(found.maps) == ["C"], "class activation maps"
    plain = lta.load(untrained_run(tmp_path / "plain", "model=vgg_late"))
    found = plain.predict(PICTURES[:1])
    assert found.maps == {}
    assert repr(found).endswith("; maps none")


def test_the_size_is_the_runs_own(tmp_path):
    classifier = lta.load(untrained_run(tmp_path / "run", image_size=(48, 64)))
    assert classifier.predict(photograph()).maps["A"].shape == (1, 48, 64)
    parts = (classifier.network, classifier.preprocess, classifier.augment, classifier.recipe, classifier.loss)
    bare = Classifier(*parts, ("a", "b"))
    with pytest.raises(ValueError, match="does not know what size of pictures it takes: predict needs one"):
        bare.predict(PICTURES)


def test_what_is_shown_is_short():
    def made(count):
        probabilities = torch.full((count, 2), 0.25)
        probabilities[:, 1] = 0.75
        maps = {"A": torch.zeros(count, 32, 48), "B": torch.zeros(count, 16, 16)}
        return Prediction(["cat"] * count, torch.ones(count, dtype=torch.int64), probabilities, maps, ("dog", "cat"))

    assert repr(made(1)) == "Prediction of 1 picture: cat 0.75; maps A 32x48, B 16x16"
    assert repr(made(2)) == "Prediction of 2 pictures: cat 0.75, cat 0.75; maps A 32x48, B 16x16"
    assert repr(made(5000)).count("cat") == 8
    assert "cat 0.75 and 4992 more; maps" in repr(made(5000))


@pytest.mark.slow
def test_a_trained_run(tmp_path, capsys):
    """As lta.run leaves it: the error that it has measured is that of its predictions."""
    assert lta_run(capsys, [*TINY, f"hydra.run.dir={tmp_path / 'run'}"]).status == 0
    classifier = lta.load(tmp_path / "run")
    data = build(classifier.hparams["config"]["data"])
    data.prepare_data(), data.setup()
    wrong = (classifier.predict(data.test.images).indices.numpy() != data.test.labels).mean()
    assert 100 * wrong == pytest.approx(
        json.loads((tmp_path / "run" / "results.json").read_text())["test"]["error"], abs=1e-4
    )
