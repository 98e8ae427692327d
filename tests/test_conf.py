"""The configuration: every choice composes with every other that it should, and builds what it names."""

import pytest
import torch
from networks import composed

from lta.cli.plugins import CONF
from lta.data.evaluation_data import EvaluationData
from lta.instantiate import build


def choices(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def built(*overrides):
    cfg = composed(*overrides)
    with torch.device("meta"):
        network = build(cfg.model)(num_classes=10)
    return cfg, network, build(cfg.recipe), build(cfg.preprocess), build(cfg.augment)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fast", "author", "author_resnet", "air", "muon"])
@pytest.mark.parametrize("model", choices("model"))
def test_every_model_goes_with_every_recipe(model, recipe):
    cfg, _, built_recipe, _, _ = built(f"model={model}", f"recipe={recipe}", "data=cifar10")
    assert built_recipe.epochs == {"fast": 30, "author": 300, "author_resnet": 200, "air": 10, "muon": 30}[recipe]
    small = recipe == "author_resnet" or (recipe == "author" and model == "vgg_att3_upprojecting")
    assert cfg.data.batch_size == (1024 if recipe == "air" else 64 if small else 128)


@pytest.mark.parametrize("recipe", ["fast", "author", "air", "muon"])
@pytest.mark.parametrize("data", choices("data/with_recipe/fast"))
def test_every_data_set_goes_with_both_ends_of_the_ladder(data, recipe):
    root = ["data.root=/pictures"] if data == "image_folder" else []
    cfg, _, _, preprocess, augment = built("model=vgg_att1", f"recipe={recipe}", f"data={data}", *root)
    authors = {"cifar100": "GcnZca", "cub200": "Standardize"}.get(data, "YuvLcn")
    names = {"fast": "Standardize", "air": "Standardize", "muon": "Standardize", "author": authors}
    assert type(preprocess).__name__ == names[recipe]
    if recipe == "author":
        assert type(augment).__name__ == ("Identity" if data == "digit_scenes" else "HalfFlip")
        assert cfg.data.val_size == 0
        assert cfg.test_each_epoch


def test_data_without_a_recipe_are_those_that_are_only_looked_at():
    without = set(choices("data")) - set(choices("data/with_recipe/fast"))
    assert without == {"mask_folder", "composites", "digit_pairs"}
    for data in without:
        root = [] if data == "digit_pairs" else ["data.root=/pictures"]
        assert isinstance(build(composed(f"data={data}", *root).data), EvaluationData)


def test_recipe_author_is_what_the_authors_did_on_cifar10():
    cfg, network, recipe, _, augment = built("recipe=author", "data=cifar10", "model=vgg_att3")
    (group,) = recipe.optimizer(network, 128).param_groups
    assert {key: group[key] for key in ("lr", "momentum", "dampening", "weight_decay", "nesterov")} == {
        "lr": 1.0,
        "momentum": 0.9,
        "dampening": 0.9,
        "weight_decay": 5e-4,
        "nesterov": False,
    }
    assert len(group["params"]) == len(list(network.parameters()))
    assert recipe.average_gradients
    assert recipe.label_smoothing == 0
    assert augment.batch_shift == 0
    assert cfg.model.init == {"scorer": "author", "conv": "fan_out", "batchnorm": "uniform"}
    assert {m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-3}
    assert {m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)} == {1e-5}
    assert {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)} == {0.3, 0.4, 0.5}
    assert cfg.test_checkpoint == "last"


RUNGS = [  # each difference between the two recipes, from the authors' to the modern value
    ("recipe.lr=0.1", "recipe.lr=1"),
    ("recipe.lr_batch=128", "recipe.lr_batch=0"),
    ("recipe.dampening=0", "recipe.dampening=0.9 recipe.nesterov=false"),
    ("recipe.decay_vectors=false", "recipe.decay_vectors=true"),
    ("recipe.average_gradients=false", "recipe.average_gradients=true"),
    ("schedule=cosine", "schedule=author"),
    ("model.init.scorer=zero", "model.init.scorer=author"),
    ("model.init.batchnorm=one", "model.init.batchnorm=uniform"),
    ("model.init.conv=fan_in", "model.init.conv=fan_in"),
    ("model.bn_eps=1e-5", "model.bn_eps=1e-5"),
    ("model.dropout=0", "model.dropout_kind=channel"),
    ("augment=flip_crop", "augment=flip_half"),
    ("preprocess=standardize", "preprocess=yuv_lcn"),
    ("preprocess=gcn_zca", "preprocess=gcn_zca"),
    ("data.val_size=5000", "data.val_size=0"),
    ("test_each_epoch=false", "test_each_epoch=true"),
]


@pytest.mark.parametrize(("off", "on"), RUNGS)
def test_every_rung_of_the_ladder_composes(off, on):
    for recipe, switch in (("author", off), ("fast", on)):
        cfg, *_ = built(f"recipe={recipe}", "data=cifar10", "model=vgg_att3", *switch.split())
        plain, *_ = built(f"recipe={recipe}", "data=cifar10", "model=vgg_att3")
        assert cfg != plain
