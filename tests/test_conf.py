"""The configuration: every choice composes with every other that it should, and builds what it names."""

import hydra
import pytest
import torch
from commands import assert_refused, lta_run
from networks import composed
from omegaconf import OmegaConf

from lta.cli.kinds import list_fitting_data, list_training_data
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


EPOCHS = {"fast": 30, "author": 300, "author_resnet": 200, "air": 10, "air_muon": 10, "muon": 30}


def pair_models_with_recipes():
    """All with those recipes that set something of the model; of the others, which don't, each model has one in turn."""
    setting = [name for name in EPOCHS if "model" in OmegaConf.load(CONF / "recipe" / f"{name}.yaml")]
    others = [name for name in EPOCHS if name not in setting]
    assert setting == ["author", "author_resnet"]
    for number, model in enumerate(choices("model")):
        yield from ((model, recipe) for recipe in [*setting, others[number % len(others)]])


@pytest.mark.slow
@pytest.mark.parametrize(("model", "recipe"), list(pair_models_with_recipes()))
def test_every_model_goes_with_every_recipe(model, recipe):
    cfg, _, built_recipe, _, _ = built(f"model={model}", f"recipe={recipe}", "data=cifar10")
    assert built_recipe.epochs == EPOCHS[recipe]
    small = recipe == "author_resnet" or (recipe == "author" and model == "vgg_att3_upprojecting")
    assert cfg.data.batch_size == ({"air": 1024, "air_muon": 512}.get(recipe) or (64 if small else 128))


DIGITS = {"digit_scenes", "svhn"}
"""Their mirror images mean something else; all other pictures are photographs."""


@pytest.mark.parametrize("recipe", ["fast", "author", "air", "muon"])
@pytest.mark.parametrize("data", list_training_data())
def test_every_data_set_goes_with_both_ends_of_the_ladder(data, recipe):
    root = ["data.root=/pictures"] if data == "image_folder" else []
    cfg, _, _, preprocess, augment = built("model=vgg_att1", f"recipe={recipe}", f"data={data}", *root)
    authors = {"cifar100": "GcnZca", "cub200": "Standardize"}.get(data, "YuvLcn")
    assert type(preprocess).__name__ == (authors if recipe == "author" else "Standardize")
    pictures = torch.arange(6 * 3 * 32 * 32.0).view(6, 3, 32, 32)

    def change():
        if hasattr(augment, "set_pictures"):
            augment.set_pictures(torch.arange(6))
        return augment(pictures)

    mirrored = {tuple(changed[0, 16, 8:24].diff().sign().tolist()) for _ in range(20) for changed in change()}
    as_authors = recipe == "author" and data == "svhn"  # who mirrored them
    assert len(mirrored) == (2 if data not in DIGITS or as_authors else 1)
    if recipe == "author":
        assert cfg.data.val_size == 0
        assert cfg.test_each_epoch
        assert (cfg.recipe.lr, cfg.recipe.epochs) == {"svhn": (0.1, 300), "cub200": (0.1, 320)}.get(data, (1.0, 300))
    chosen = composed("model=vgg_att1", f"recipe={recipe}", f"data={data}", *root, "preprocess=yuv_lcn", "augment=none")
    assert (chosen.preprocess._target_, chosen.augment._target_) == (
        "lta.transforms.yuv_lcn.YuvLcn",
        "torch.nn.Identity",
    ), "what is asked for"


def test_data_that_only_are_looked_at_are_not_offered_for_training():
    without = set(choices("data")) - set(list_training_data())
    assert without == {"mask_folder", "box_folder", "composites", "digit_pairs"}
    for data in without:
        root = [] if data == "digit_pairs" else ["data.root=/pictures"]
        assert isinstance(build(composed(f"data={data}", *root).data), EvaluationData)


def test_each_recipe_goes_with_all_data_but_that_of_the_authors_resnets():
    for recipe in choices("recipe"):
        known = ["cifar10", "cifar100"] if recipe == "author_resnet" else list_training_data()
        assert list_fitting_data(recipe) == known
        for data in known:
            assert "augment" in composed(f"recipe={recipe}", f"data={data}")
    assert composed("recipe=author_resnet", "data=cifar100").augment.batch_shift == 4


@pytest.fixture
def outside(tmp_path):
    """A folder of somebody's own, with one file for a data set."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text(
        "defaults: [_self_, {/recipe/kind@_global_: '${recipe}/photographs'}]\n"
        "_target_: my_package.MyData\nval_size: 7\nbatch_size: 128\n"
    )
    return tmp_path


def composed_with(folder, *overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", [f"hydra.searchpath=[file://{folder}]", *overrides])


def test_a_data_set_of_ones_own_needs_one_file(outside):
    for recipe in ("fast", "muon", "air", "author"):
        cfg, known = composed_with(outside, "data=mine", f"recipe={recipe}"), composed(f"recipe={recipe}", "data=cifar10")
        for part in ("preprocess", "augment", "recipe", "model"):
            assert cfg[part] == known[part], f"as on other photographs: {part} of {recipe}"
        assert cfg.data._target_ == "my_package.MyData"
        assert cfg.data.val_size == (0 if recipe == "author" else 7)


def test_a_recipe_of_ones_own_needs_a_file_for_each_kind_of_pictures(outside):
    (outside / "recipe" / "kind" / "mine").mkdir(parents=True)
    (outside / "recipe" / "mine.yaml").write_text("defaults: [fast, _self_]\nlr: 0.3\n")
    (outside / "recipe" / "kind" / "mine" / "photographs.yaml").write_text(
        "defaults: [/recipe/kind/air/photographs@_global_]"
    )
    for data in ("mine", "cifar10", "cub200"):
        cfg = composed_with(outside, f"data={data}", "recipe=mine")
        assert (cfg.recipe.lr, cfg.augment.alternate) == (0.3, True)


def test_a_recipe_of_ones_own_without_such_a_file_is_told_of_it(outside, capsys):
    (outside / "recipe").mkdir()
    (outside / "recipe" / "mine.yaml").write_text("defaults: [fast, _self_]\n")
    ended = lta_run(capsys, ["-cd", str(outside), "recipe=mine", "data=svhn", "--cfg", "job"])
    missing = "(those for digits would be in recipe/kind/mine/digits.yaml)"
    assert_refused(ended, f"recipe=mine does not go with data=svhn; it has settings for none {missing}")


def test_a_data_set_of_ones_own_is_offered_and_refused_like_others(outside, capsys):
    assert "svhn, mine (-cd " in lta_run(capsys, ["-cd", str(outside), "--help"]).out
    ended = lta_run(capsys, ["-cd", str(outside), "recipe=author_resnet", "data=mine", "--cfg", "job"])
    assert_refused(ended, "recipe=author_resnet does not go with data=mine; it has settings for cifar10, cifar100")


def test_a_data_set_may_choose_preprocessing_and_augmentation_itself(outside):
    (outside / "data" / "odd.yaml").write_text(
        "defaults: [_self_, {/preprocess@_global_.preprocess: gcn_zca}, {/augment@_global_.augment: none}]\n_target_: a.B\n"
    )
    for recipe in ("fast", "air"):
        cfg = composed_with(outside, "data=odd", f"recipe={recipe}")
        assert (cfg.preprocess._target_, cfg.augment._target_) == ("lta.transforms.gcn_zca.GcnZca", "torch.nn.Identity")
    assert composed_with(outside, "data=odd", "augment=shift").augment.shift == 2


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
        choices = (f"recipe={recipe}", "data=cifar10", "model=vgg_att3")
        cfg, *_ = built(*choices, *switch.split())
        assert cfg != composed(*choices)
