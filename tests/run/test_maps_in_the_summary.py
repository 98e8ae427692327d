"""The summary says where a map is not the only path to the class."""

import pytest
from commands import train
from networks import TINY_BACKBONE, TINY_VGG, network

from lta.run.summary import list_unconstrained_levels

pytest.importorskip("timm")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("model=backbone_att2", *TINY_BACKBONE), ["B", "D"]),
        (("model=backbone_att3", "compat=additive", *TINY_BACKBONE), ["A", "B", "D"]),
        (("model=backbone_att1", *TINY_BACKBONE), []),
        (("model=backbone_att2", "compat=uniform", *TINY_BACKBONE), []),
        (("model=backbone_gap", *TINY_BACKBONE), []),
        (("model=vgg_att3", *TINY_VGG), []),
    ],
)
def test_which_levels_share_the_class(settings, expected):
    assert list_unconstrained_levels(network(*settings, num_classes=2)) == expected


def test_a_run_says_it(tmp_path):
    said = train(
        *("model=backbone_att2", *TINY_BACKBONE, "data=digit_scenes", "recipe=transfer", "recipe.epochs=1", "trainer=cpu"),
        *("data.train_size=32", "data.val_size=32", "data.test_size=32", "data.batch_size=32", "logger=none"),
        *("default_evaluators=none", "callbacks.attention_maps=null", f"hydra.run.dir={tmp_path}"),
    )
    assert "maps            B, D decide the class together, so none of these maps needs to find the object (model=" in said
