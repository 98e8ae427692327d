"""Backbones with random weights, by the kinds that timm's networks are of."""

from functools import cache

import pytest

from lta.models.backbone_trunk import BackboneTrunk

pytest.importorskip("timm")

SIDES = {
    "tf_efficientnet_lite0": 64,
    "resnet18": 64,
    "resnet50": 64,
    "vgg16_bn": 64,
    "convnext_atto": 64,
    "mobilenetv3_small_050": 64,
    "vit_tiny_patch16_224": 48,
    "vit_small_patch14_reg4_dinov2": 42,
    "swin_tiny_patch4_window7_224": 64,
}
"""By name, of which side pictures are that it is tried on."""


@cache
def random_trunk(name, **settings):
    """Not to be changed."""
    return BackboneTrunk(name, weights="none", **settings).eval()
