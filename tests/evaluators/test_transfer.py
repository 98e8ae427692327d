"""Frozen features and the linear SVM on them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asked import Stand, data, split
from networks import network, tiny
from torch import nn

from lta.evaluators.transfer.evaluator import Transfer
from lta.evaluators.transfer.features import network_features, pixel_size

DIMENSIONS = {  # author_spec section 9; of the others the same place in the network
    "vgg": 512,
    "vgg_gap": 512,
    "vgg_pan": 512,
    "vgg_att2": 1024,
    "vgg_att3": 1280,
    "rn164": 256,
    "rn_att2": 384,
    "vgg_late": 512,
    "vgg_att1": 512,
    "vgg_att3_upprojecting": 1536,
    "vgg_att2_two_globals": 1024,
    "vgg_att3_three_globals": 1280,
    "vgg_progressive_hl": 512,
    "vgg_progressive_ll": 512,
    "rn_att1": 256,
}
ATTENTION = ("vgg_att2", "vgg_att3", "rn_att2")


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        *((model, ()) for model in DIMENSIONS),
        *((model, ("head=indep",)) for model in ATTENTION),
    ],
    ids=str,
)
def test_the_vector_has_the_authors_dimension(model, overrides):
    with torch.device("meta"):
        layers = network(f"model={model}", *overrides, num_classes=7).classifiers
    assert sum(layer.in_features for layer in layers) == DIMENSIONS[model]
    assert {layer.out_features for layer in layers} == {7}


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        *((model, ()) for model in ("vgg", "vgg_late", "vgg_gap", "vgg_att3", "vgg_pan", "rn164", "rn_att2")),
        ("vgg_att3", ("head=indep",)),
    ],
    ids=str,
)
def test_the_classes_are_linear_in_the_vector(model, overrides):
    """It is what enters the classifier, in eval mode: weights and biases on it give the network's own logits."""
    built = network(f"model={model}", *tiny(model), *overrides, num_classes=5)
    built.eval()
    images = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()
    stand = Stand(built, lambda seen: (built(seen.float() / 255).logits, {}))
    pictures = SimpleNamespace(images=images, labels=np.zeros(5, np.int64))
    found = torch.from_numpy(network_features(stand, pictures, 2, ""))
    parts = found.split([layer.in_features for layer in built.classifiers], 1)
    with torch.no_grad():
        logits = sum(layer(part) for layer, part in zip(built.classifiers, parts, strict=True))
        expected = built(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).logits
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    if model.startswith("vgg_att") or model == "rn_att2":
        assert (found >= 0).all(), "after the head's ReLU"
    assert not any(layer._forward_pre_hooks for layer in built.classifiers)


class Reads(nn.Module):
    """Its vector is the mean grey, times `gain`, and a constant."""

    def __init__(self, gain):
        super().__init__()
        self.classifiers = (nn.Linear(2, 2),)
        self.levels, self.gain = (), gain

    def forward(self, images):
        grey = images.float().mean((1, 2, 3))
        return self.classifiers[0](torch.stack([self.gain * grey, torch.ones_like(grey)], 1))


def stand(gain=1.0, image_size=(16, 16)):
    reads = Reads(gain)
    return Stand(reads, lambda images: (reads(images), {}), image_size=image_size)


def shades(count, seed, noise=20):
    """Three classes by their shade, 60 grey values apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = 40 + 60 * labels[:, None, None] + rng.integers(0, noise, (count, 16, 16))
    return split(images, labels)


NAMES = ("dark", "grey", "light")


def load_nothing(path):
    raise ValueError(f"there is no checkpoint {path}")


def asked(test=None, train=None, load=load_nothing, classifier=None, **settings):
    evaluator = Transfer(load, lambda classifier, seed: stand(0.0), **{"pixel_dims": 48, "C": (0.01, 0.1, 1.0)} | settings)
    train = shades(60, 0) if train is None else train
    return evaluator.run(classifier or stand(), data(shades(30, 1) if test is None else test, train, NAMES))


def test_separable_features_give_no_error_whatever_the_networks_own_classes():
    found = asked()
    features = found.figures["features"]
    assert features["this network"]["error"] == {"value": 0, "interval": pytest.approx([0, 11.35], abs=0.01), "n": 30}
    assert features["this network"]["dimension"] == 2
    assert features["raw pixels 4x4"]["error"]["value"] == 0
    assert features["raw pixels 4x4"]["dimension"] == 48
    assert features["untrained copy"]["error"]["value"] == pytest.approx(200 / 3), "a constant vector: one class for all"
    assert features["untrained copy"]["this_network_minus_it"]["value"] == pytest.approx(-200 / 3)
    assert features["untrained copy"]["this_network_minus_it"]["interval"][1] < -40
    assert found.figures["largest_class"]["value"] == pytest.approx(200 / 3)
    assert "all 60 training images of 3 classes" in found.lines[0]


def test_baselines_are_asked_the_same():
    runs = {"a/blind": stand(0.0), "b/seeing": stand(2.0)}
    found = asked(baseline=list(runs), load=runs.__getitem__)
    features = found.figures["features"]
    assert features["baseline blind"]["this_network_minus_it"]["value"] == pytest.approx(-200 / 3)
    assert features["baseline seeing"]["this_network_minus_it"] == {"value": 0, "interval": [0, 0], "n": 30}
    assert [row["features"] for row in found.rows][:3] == ["this network", "baseline blind", "baseline seeing"]
    both = asked(baseline=["a/x", "b/x"], load=lambda path: stand()).figures["features"]
    assert {"baseline a/x", "baseline b/x"} <= set(both)


def test_the_test_labels_are_not_what_c_is_chosen_by():
    """Whatever the labels of the test images, the chosen C and the error of the folds are the same."""
    other = shades(30, 1)._replace(labels=np.zeros(30, np.int64))
    ours, theirs = (asked(test=test).figures["features"]["this network"] for test in (shades(30, 1), other))
    assert (ours["C"], ours["cv_error"]) == (theirs["C"], theirs["cv_error"])
    assert theirs["error"]["value"] == pytest.approx(200 / 3)


def drawings(count=30, copies=4):
    """Each drawing several times, of a class that nothing in it tells: known drawings alone can be told."""
    rng = np.random.default_rng(0)
    images, sources = rng.integers(0, 256, (count, 16, 16)), np.repeat(np.arange(count), copies)
    return split(images[sources], np.arange(count)[sources] % 3)._replace(sources=sources)


def test_what_one_drawing_gave_is_in_one_fold():
    train = drawings()
    settings = {"pixel_dims": 768, "C": (1.0,)}
    assert asked(train=train._replace(sources=None), **settings).figures["features"]["raw pixels 16x16"]["cv_error"] < 10
    assert asked(train=train, **settings).figures["features"]["raw pixels 16x16"]["cv_error"] > 40


def test_what_was_decided_is_said():
    found = asked(train_images=30, test=shades(30, 1)._replace(labels=np.arange(30) % 3 + (np.arange(30) == 0) * 3))
    assert "30 of 60 training images (class-balanced)" in found.lines[0]
    assert found.figures["test_images_of_classes_not_trained_on"] == 1
    assert any("1 test images, counted as wrong, have classes" in line for line in found.lines)
    assert any("is the smallest that was tried" in line for line in found.lines)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"train": shades(0, 0)}, "has none here"),
        ({"train": split(np.zeros((9, 16, 16)))}, "all training images are dark"),
        ({"train": shades(60, 0), "folds": 21}, "only 20 of the 60 .* are dark"),
        ({"train": drawings(6), "folds": 3}, "that are dark come from only 2 sources"),
        ({"baseline": "there"}, "evaluator.transfer.baseline=there: there is no checkpoint"),
        (
            {"baseline": "small", "load": lambda path: stand(image_size=(8, 8))},
            "8x8 pixels, and the data's images have 16x16",
        ),
        ({"baseline": ["x", "x"], "load": lambda path: stand()}, "names a run twice"),
        ({"C": []}, "evaluator.transfer.C"),
        ({"C": [0]}, "evaluator.transfer.C=0"),
        ({"folds": 1}, "evaluator.transfer.folds"),
        ({"train_images": 1}, "evaluator.transfer.train_images"),
        ({"pixel_dims": 2}, "evaluator.transfer.pixel_dims"),
    ],
)
def test_what_can_be_wrong_is_said_in_one_line(settings, told):
    with pytest.raises(ValueError, match=told):
        asked(**settings)


def test_pixels_are_reduced_in_form():
    assert pixel_size((32, 32), 768) == (16, 16)
    assert pixel_size((32, 64), 3 * 32 * 64) == (32, 64)
    assert pixel_size((8, 8), 10_000) == (8, 8)
    assert pixel_size((40, 80), 3 * 10 * 20) == (10, 20)
    assert pixel_size((1, 500), 3) == (1, 1)
