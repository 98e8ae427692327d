"""Blocks of a backbone that are computed again for the gradient: the same gradient, less memory."""

import pytest
import torch
from backbones import SIDES
from networks import network
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from lta.models.backbone_trunk import BackboneTrunk
from lta.training.classifier import Classifier
from lta.training.flops import count_step_flops
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.normalize import Standardize

pytest.importorskip("timm")


def make_trunk(name, checkpointing):
    torch.manual_seed(0)
    return BackboneTrunk(name, weights="none", train="all", checkpointing=checkpointing).train()


def draw_images(name):
    return torch.randn(2, 3, SIDES[name], SIDES[name], generator=torch.Generator().manual_seed(1))


def compute_gradients(name, checkpointing):
    trunk = make_trunk(name, checkpointing)
    levels, query = trunk.features(draw_images(name))
    sum(x.square().mean() for x in (*levels.values(), query)).backward()
    return {key: weight.grad for key, weight in trunk.model.named_parameters()}


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_the_gradient_is_the_same(name):
    plain, again = (compute_gradients(name, checkpointing) for checkpointing in (False, True))
    for key, gradient in plain.items():
        assert (gradient is None) == (again[key] is None), key
        if gradient is not None:
            torch.testing.assert_close(again[key], gradient, rtol=1e-4, atol=1e-6)


def count_kept_bytes(name, checkpointing):
    """For the gradient, without the weights."""
    trunk = make_trunk(name, checkpointing)
    weights = {weight.data_ptr() for weight in trunk.parameters()}
    kept = {}

    def keep(x):
        if x.data_ptr() not in weights:
            kept[x.data_ptr()] = x.numel() * x.element_size()
        return x

    with saved_tensors_hooks(keep, lambda x: x):
        trunk.features(draw_images(name))
    return sum(kept.values())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "vit_tiny_patch16_224"])
def test_less_is_kept(name):
    assert count_kept_bytes(name, True) < 0.5 * count_kept_bytes(name, False)


def test_what_is_computed_again_is_counted():
    def count(*settings):
        built = network("model=backbone_att1", "model.backbone.name=resnet18", "model.backbone.weights=none", *settings)
        classifier = Classifier(built, Standardize(), nn.Identity(), SGDRecipe(1), CrossEntropy(), tuple("abcdefghij"))
        return count_step_flops(classifier, 2, 64, 64)

    plain, again = (
        count("model.backbone.train=all", f"model.backbone.checkpointing={given}") for given in ("false", "true")
    )
    assert 1.2 * plain < again < 1.4 * plain


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "checkpointing=true is for trained parts, but model.backbone.train is none"),
        (
            {"train": "all", "statistics": "trained"},
            "each batch twice: give model.backbone.statistics=kept",
        ),
        ({"train": "last", "name": "vgg16_bn"}, "timm can't compute blocks of vgg16_bn again"),
    ],
)
def test_what_does_not_go_is_said_in_a_line(settings, says):
    with pytest.raises(ValueError, match=says):
        BackboneTrunk(**{"name": "resnet18", "weights": "none", "checkpointing": True, **settings})
