"""All that lta brings along fulfils the contracts that it asks of others: lta.testing over conf/."""

import pytest
import torch
from networks import composed, network, tiny
from omegaconf import OmegaConf

from lta import testing
from lta.cli.plugins import CONF
from lta.instantiate import build
from lta.models.attention_net import AttentionNet
from lta.protocols import QueriedNetwork, list_missing

OFFLINE = {
    "digit_pairs": ("data.test_size=60",),
    "digit_scenes": ("data.train_size=60", "data.val_size=20", "data.test_size=40"),
}
"""Data that need no files."""


def list_choices(group, but=""):
    return sorted({path.stem for path in (CONF / group).glob("*.yaml")} - {but})


def build_tiny(model, *overrides):
    return lambda num_classes: network(f"model={model}", *tiny(model), *overrides, num_classes=num_classes)


@pytest.mark.parametrize("model", list_choices("model"))
def test_networks(model):
    testing.check_network(build_tiny(model))


@pytest.mark.parametrize("compat", list_choices("compat"))
def test_compatibility_functions(compat):
    testing.check_compat(build(composed(f"compat={compat}").model.compat))
    testing.check_network(build_tiny("vgg_att2", f"compat={compat}"))


@pytest.mark.parametrize("loss", list_choices("loss"))
def test_losses(loss):
    testing.check_loss(build(composed(f"loss={loss}").loss))


@pytest.mark.parametrize("head", list_choices("head"))
def test_heads(head):
    testing.check_head(build(composed(f"head={head}").model.head))


@pytest.mark.parametrize("data", [pytest.param("digit_pairs", marks=pytest.mark.slow), "digit_scenes"])
def test_data(data):
    settings = composed(f"data={data}", *OFFLINE[data]).data
    testing.check_data(lambda: build(settings))


@pytest.mark.parametrize("effect", list_choices("effect", but="all"))
def test_effects(effect):
    testing.check_effect(build(OmegaConf.load(CONF / "effect" / f"{effect}.yaml")))


def test_attention_networks_let_their_queries_be_replaced():
    with torch.device("meta"):
        built = network("model=vgg_att3")
    assert isinstance(built, AttentionNet)
    assert not list_missing(built, QueriedNetwork)
    assert "attention" in list_missing(network("model=vgg_gap", *tiny("vgg_gap")), QueriedNetwork)
