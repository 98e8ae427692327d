"""Names of sweeps and their jobs: stable, distinct, and without quotes on the command line."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lta.cli.resolvers import split_overrides
from lta.sweep.names import LONGEST, check_distinct, job_name, sweep_name


def named(*overrides, params=None):
    return sweep_name(*split_overrides(overrides, params))


def test_a_sweep_has_one_name_in_any_order_and_with_any_values():
    name = named("model=vgg,vgg_att3", "seed=0,1", "recipe.epochs=3", "recipe.lr=0.1")
    assert re.fullmatch(r"model\+seed_[0-9a-f]{8}", name)
    assert name == named("recipe.lr=0.10", "seed=range(0,9)", "recipe.epochs=3", "model=vgg_gap,vgg")
    assert name == named("model=vgg,vgg_gap", "recipe.lr=0.1", params={"seed": "4,5", "recipe.epochs": 3})
    assert name == named("recipe.lr=7", "model=vgg,vgg_gap", "recipe.epochs=3", "seed=1,2", "recipe.lr=0.1"), (
        "the last holds"
    )


def test_keys_and_settings_have_no_order():
    keys, settings = ["seed", "model", "data"], {"recipe.lr": "1", "augment": "none"}
    assert sweep_name(settings, keys) == sweep_name(dict(reversed(settings.items())), keys[::-1])
    assert sweep_name(settings, keys).startswith("data+model+seed_")


@pytest.mark.parametrize(
    "other",
    [
        ["model=a,b", "seed=0,1", "recipe.epochs=4"],
        ["model=a,b", "seed=0,1"],
        ["model=a,b", "recipe.epochs=3", "seed=0"],
        ["model=a,b", "seed=0,1", "recipe.epochs=3", "data=cifar10"],
    ],
)
def test_another_sweep_has_another_name(other):
    assert named("model=a,b", "seed=0,1", "recipe.epochs=3") != named(*other)


def test_a_glob_is_part_of_the_name():
    name = named("experiment=glob(cifar10_*)", "seed=0,1")
    assert re.fullmatch(r"experiment-cifar10\+seed_[0-9a-f]{8}", name)
    assert name == named("seed=choice(5)", "experiment=glob(cifar10_*)"), "a sweep that can be extended by seeds"
    others = ["experiment=glob(cifar100_*)", "experiment=glob(cifar10*)", "experiment=glob(cifar10_*,exclude=*_dp_*)"]
    assert len({name, *(named(other, "seed=0,1") for other in [*others, "experiment=cifar10_vgg,cifar10_vgg_gap"])}) == 5
    assert named("experiment=glob(a*)", "experiment=a,b") == named("experiment=a,b"), "the last holds"


def test_what_is_not_swept_is_constant():
    constant, swept = split_overrides(["seed=1,2", "+x=1", "model.levels=[A,C]", "~head"], {"data": "a,b", "seed": "3"})
    assert (swept, constant) == ({"seed", "data"}, {"+x": "1", "model.levels": "[A,C]", "~head": "null"})


def test_a_job_is_named_by_what_varies():
    assert job_name({"seed": "0", "model": "vgg_att3", "compat": "pc"}) == "compat-pc+model-vgg_att3+seed-0"
    assert job_name({"+trainer.max_steps": "5", "recipe.lr": "1e-05"}) == "recipe.lr-1e-05+trainer.max_steps-5"
    assert job_name({}) == "run"


ODD = ["[A,C]", "[B,C]", "a=b", "a,b", "'two words'", "/data/x", "{a:1}", "1+2", "ä", "", "x" * 300, "x" * 299 + "y"]


def test_odd_values_have_names_of_their_own_that_need_no_quotes():
    names = [job_name({"key": value, "seed": "0"}) for value in ODD]
    assert len(set(names)) == len(ODD)
    for name in names:
        assert len(name) <= LONGEST
        (override,) = OverridesParser.create().parse_overrides([f"resume=multirun/{named('seed=1,2')}/{name}"])
        assert override.value() == f"multirun/{named('seed=1,2')}/{name}"
        assert not override.is_sweep_override()


def test_a_value_given_twice_is_refused():
    with pytest.raises(ValueError, match=r"2 jobs of this sweep are the same, seed-0: a value is given twice"):
        check_distinct(["seed-0", "seed-1", "seed-0"])
    check_distinct(["seed-0", "seed-1"])
