"""Which setting somebody may have meant."""

import pytest

from lta.cli.plugins import ConfRoot
from lta.cli.suggestions import describe_unknown_setting, list_nearest, suggest_choice


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("model.widht", ": did you mean model.width?"),
        ("modle", ": did you mean model?"),
        ("epochs", ": did you mean recipe.epochs?"),
        ("init.scorer", ": did you mean model.init.scorer?"),
        ("batch_size", ": did you mean data.batch_size?"),
        ("logger.wandb.projct", ": did you mean logger.wandb.project?"),
        ("head.combine", ": head=indep has it"),
        ("recipe.muon_lr", ": recipe=air_muon, muon have it"),
        ("recipe.lookahead", ": recipe=air, air_muon have it"),
        ("compat.scale", ": compat=frozen has it"),
        ("schedule.every", ": schedule=author has it"),
        ("seed", ""),
        ("model", ""),
        ("model.foo", ""),
        ("model.colour", ""),
        ("epoch", ": did you mean recipe.epochs?"),
        ("xyzzy", ""),
        ("hydra.run.dir", ""),
    ],
)
def test_near_names_and_where_a_setting_is(key, says):
    assert describe_unknown_setting(key) == says


def test_a_setting_that_several_have():
    found = describe_unknown_setting("data.image_size")
    known = "box_folder, cifar10, cifar100, composites, cub200, image_folder, mask_folder, stl10, svhn"
    assert found == f": data={known} have it"


def test_a_file_without_settings(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "logger").mkdir()
    (tmp_path / "logger" / "none.yaml").write_text("# nothing\n")
    (tmp_path / "logger" / "even.yaml").write_text("# @package logger.odd\ndefaults: [odd]\ninner: {size: 2}\n")
    (tmp_path / "logger" / "odd.yaml").write_text("# @package logger.odd\n_target_: a.b\ninner: {_target_: c.d, size: 1}\n")
    roots = (ConfRoot("", tmp_path),)
    assert describe_unknown_setting("logger.odd.inner.sise", roots=roots) == ": did you mean logger.odd.inner.size?"
    assert describe_unknown_setting("logger.odd.inner", roots=roots) == ": logger=even, odd have it", "each once"
    assert describe_unknown_setting("sede", roots=roots) == ": did you mean seed?"


@pytest.mark.parametrize(
    ("command", "key", "says"),
    [
        ("evaluate", "chekpoint", ": did you mean checkpoint?"),
        ("evaluate", "data.rot", ": did you mean data.root?"),
        ("evaluate", "model.width", ""),
        ("apply", "imags", ": did you mean images?"),
        ("apply", "attention.levles", ": did you mean attention.levels?"),
        ("apply", "levels", ": did you mean attention.levels?"),
        ("apply", "effect.crop.keeep", ": did you mean effect.crop.keep?"),
        ("predict", "treshold", ": did you mean threshold?"),
        ("teach", "maks", ": did you mean masks?"),
        ("export", "fromat", ": did you mean format?"),
        ("export", "epochs", ""),
        ("demo", "prot", ": did you mean port?"),
    ],
)
def test_each_command_has_settings_of_its_own(command, key, says):
    assert describe_unknown_setting(key, command) == says


def test_a_file_that_includes_others_has_none_of_their_settings():
    assert describe_unknown_setting("effect.colour", "apply") == ": did you mean effect.blurout.colour?"


def test_a_choice_that_is_near():
    assert suggest_choice("cifr10", ["svhn", "cifar10", "cifar100"]) == " (did you mean cifar10?)"
    assert suggest_choice("imagenet", ["svhn", "cifar10"]) == ""


def test_of_many_choices_the_nearest_five_are_listed():
    assert list_nearest("cifr10", ["svhn", "cifar10"]) == "choose one of svhn, cifar10"
    many = [
        f"{data}_vgg_att{k}_{compat}" for data in ("cifar10", "svhn", "cub200") for k in range(6) for compat in ("pc", "dp")
    ]
    said = list_nearest("cifar10_vgg_at3_pc", many)
    assert said.startswith("the nearest of 36 are cifar10_vgg_att3_pc, ")
    assert said.count(",") == 4
