"""recipe=transfer: AdamW on a backbone, of which some parts are frozen."""

import copy

import pytest
import torch
from commands import TINY, run_here
from networks import network
from pytorch_lightning.plugins.precision.amp import _optimizer_handles_unscaling

from lta.models.backbone_trunk import BackboneTrunk
from lta.training.adamw import AdamWRecipe

pytest.importorskip("timm")

BACKBONE = ("model=backbone_att2", "model.backbone.name=resnet18", "model.backbone.weights=none")


def groups_of(train, **settings):
    net = network(*BACKBONE, f"model.backbone.train={train}")
    groups = AdamWRecipe(2, lr=1e-3, **settings).optimizer(net, batch_size=32).param_groups
    return net, groups


def test_frozen_parts_are_in_no_group():
    net, groups = groups_of("none")
    inside = {id(weight) for group in groups for weight in group["params"]}
    assert not inside & {id(weight) for weight in net.trunk.parameters()}
    assert inside == {id(weight) for weight in net.parameters() if weight.requires_grad}


def test_parts_learn_more_slowly_the_shallower_they_lie():
    net, groups = groups_of("all", trunk_lr_scale=0.2, layer_decay=0.5, weight_decay=0.3)
    rates = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in groups), "each is in one group"
    base = 1e-3 * (32 / 128) ** 0.5
    model = net.trunk.model
    for depth, part in enumerate([model.layer4, model.layer3, model.layer2, model.layer1, model.conv1]):
        (rate,) = {rates[id(weight)] for weight in part.parameters()}
        assert rate == pytest.approx(base * 0.2 * 0.5**depth)
    assert rates[id(net.head.classifier.weight)] == pytest.approx(base)
    decays = {id(weight): group["weight_decay"] for group in groups for weight in group["params"]}
    assert all(decays[id(weight)] == (0.3 if weight.ndim > 1 else 0) for weight in net.parameters() if id(weight) in decays)


def test_a_step_on_the_cpu_is_that_of_torchs_plain_adamw():
    net = network(*BACKBONE[1:], "model=backbone_att2", "model.backbone.train=last", "compat=dp", num_classes=3)
    net = net.to(memory_format=torch.channels_last)
    other = copy.deepcopy(net)
    recipe = AdamWRecipe(2, lr=1e-3)
    ours, theirs = recipe.optimizer(net, 32), recipe.optimizer(other, 32)
    assert ours.defaults["fused"]
    assert not _optimizer_handles_unscaling(ours), "else Lightning refuses to clip gradients in mixed precision"
    for group in theirs.param_groups:
        group |= {"fused": False, "foreach": False}
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        for one, optimizer in ((net, ours), (other, theirs)):
            optimizer.zero_grad()
            one(images).logits.square().sum().backward()
            optimizer.step()
    for (name, weight), expected in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"weight_decay": -1}, {"layer_decay": 0}, {"label_smoothing": 2}])
def test_numbers_that_can_not_be(wrong):
    with pytest.raises(ValueError, match=rf"recipe\.{next(iter(wrong))}="):
        AdamWRecipe(**{"epochs": 1, **wrong})


RUN = (
    *[setting for setting in TINY if "model." not in setting and "experiment" not in setting],
    *BACKBONE,
    "data=digit_scenes",
    "recipe=transfer",
    "data.batch_size=32",
    "seed=3",
    "default_evaluators=none",
    "callbacks.attention_maps=null",
)


@pytest.mark.slow
@pytest.mark.parametrize("train", ["none", "last"])
def test_a_run_leaves_frozen_weights_and_statistics_as_they_are(tmp_path, monkeypatch, train):
    trunks = []
    read = BackboneTrunk._read_weights

    def keep(trunk, *arguments):
        read(trunk, *arguments)
        if not trunk.digest.is_meta:
            trunks.append({name: value.clone() for name, value in trunk.model.state_dict().items()})

    monkeypatch.setattr(BackboneTrunk, "_read_weights", keep)
    assert run_here([*RUN, f"model.backbone.train={train}", f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    before, prefix = trunks[0], "network.trunk.model."
    after = {name.removeprefix(prefix): value for name, value in content["state_dict"].items() if name.startswith(prefix)}
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    if train == "none":
        assert changed == set()
    else:
        assert {name.partition(".")[0] for name in changed} == {"layer4"}
        assert not [name for name in changed if "running" in name or "num_batches" in name], "statistics are kept"
        assert "layer4.0.conv1.weight" in changed
