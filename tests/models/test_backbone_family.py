"""Networks on a backbone: attention on each kind of trunk, and its control."""

import re

import pytest
import torch
from backbones import SIDES
from networks import network, tiny

from lta import testing
from lta.models.backbone_trunk import BackboneTrunk

SMALL = {name: SIDES[name] for name in ("tf_efficientnet_lite0", "resnet18", "convnext_atto", "vit_tiny_patch16_224")}


def build(model, *overrides, name="resnet18", seed=0):
    settings = (f"model.backbone.name={name}", "model.backbone.weights=none")
    return network(f"model={model}", *settings, *overrides, num_classes=5, seed=seed)


@pytest.mark.parametrize("name", SMALL)
def test_each_kind_of_trunk_makes_a_network(name):
    settings = (f"model.backbone.name={name}", "model.backbone.weights=none", "compat=additive")
    testing.check_network(lambda classes: network("model=backbone_att2", *settings, num_classes=classes), SMALL[name])


@pytest.mark.parametrize("compat", ["dp", "scaled_dp", "uniform", "frozen"])
@pytest.mark.parametrize("query", ["head", "deepest"])
def test_compatibility_functions_and_queries(compat, query):
    overrides = (*tiny("backbone"), f"compat={compat}", f"model.query={query}", "head=indep", "model.normaliser=sigmoid")
    testing.check_network(lambda classes: network("model=backbone_att3", *overrides, num_classes=classes), 64)


def test_levels_of_each_network():
    with torch.device("meta"):
        assert build("backbone_att1").levels == ("B",)
        assert build("backbone_att2").levels == ("B", "D")
        assert build("backbone_att3").levels == ("A", "B", "D")
        gap = build("backbone_gap", "model.level=C")
    assert gap.levels == ("C",)


def test_an_inert_query_is_left_out_and_changes_nothing():
    whole, pruned = build("backbone_att2").eval(), build("backbone_att2", "model.prune_inert_query=true").eval()
    assert whole.inert_levels == pruned.pruned_levels == ("B", "D")
    assert whole.inert_parameters > 0 == pruned.inert_parameters
    left = pruned.load_state_dict(whole.state_dict(), strict=False)
    assert not left.missing_keys
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(whole(images).logits, pruned(images).logits)


def test_the_backbone_is_computed_once_for_several_queries():
    net = build("backbone_att2", "compat=dp").eval()
    runs = []
    net.trunk.model.conv1.register_forward_hook(lambda *_: runs.append(1))
    images, kept = torch.randn(2, 3, 64, 64), {}
    with torch.no_grad():
        own = net(images, kept=kept)
        other = {"head": own.global_feats["head"].flip(0)}
        found = net(images, other, kept)
        assert len(runs) == 1
        assert torch.equal(found.logits, net(images, other).logits)
    assert not torch.equal(found.attn["B"], own.attn["B"])


def test_drawing_weights_leaves_the_backbone_as_it_is():
    torch.manual_seed(0)
    alone = BackboneTrunk("resnet18", weights="none").state_dict()
    inside = build("backbone_att2", "model.init.scorer=author", "model.init.batchnorm=uniform").trunk.state_dict()
    assert all(torch.equal(inside[name], value) for name, value in alone.items())


def test_maps_lie_where_the_pictures_size_puts_them():
    net = build("backbone_att2", name="tf_efficientnet_lite0")
    assert tuple(net.cells_in((224, 224))["B"]) == (16, 15)
    assert tuple(net.cells_in((225, 225))["B"]) == (16, 0)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model.levels=[B,E]"], "must be a list of different levels from A, B, C, D"),
        (["model.levels=[]"], "must be a list of different levels from A, B, C, D"),
        (["model.gates=[B]"], "a backbone has no stages whose features could be gated"),
        (["model.query=own"], "model.query=own is unknown; choose one of head, deepest"),
        (["compat=dp", "model.prune_inert_query=true"], "only for networks with an inert query"),
        (["model.dropout=2"], "model.dropout=2"),
        (["model.normaliser=max"], "model.normaliser=max is unknown"),
    ],
)
def test_what_is_refused(overrides, says):
    with pytest.raises(ValueError, match=re.escape(says)), torch.device("meta"):
        build("backbone_att2", *overrides)
