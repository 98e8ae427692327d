"""Numbers that can't be are refused by the limits that the classes state, read from their sources."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import assert_refused, lta_run
from networks import composed
from omegaconf import OmegaConf

from lta.cli.limits import check_limits
from lta.cli.plugins import CONF

ROOT = Path(__file__).resolve().parents[2]


def as_written(*settings):
    return OmegaConf.to_container(composed(*settings), resolve=False)


def set_value(config, key, value):
    *parts, name = key.split(".")
    for part in parts:
        config = config[part]
    config[name] = value


REFUSED = [
    ("model.width", -1, "model.width=-1 must be a number in (0, 64)"),
    ("model.width", 0, "model.width=0 must be a number in (0, 64)"),
    ("model.width", True, "model.width=True must be a number in (0, 64)"),
    ("model.output_scale", 0.0, "model.output_scale=0.0 must be a number in (0, 100)"),
    ("model.bn_momentum", 1.5, "model.bn_momentum=1.5 must be a number in (0, 1)"),
    ("recipe.epochs", 0, "recipe.epochs=0 must be a whole number, at least 1"),
    ("recipe.epochs", 2.5, "recipe.epochs=2.5 must be a whole number, at least 1"),
    ("recipe.lr", -0.1, "recipe.lr=-0.1 must be a number in (0, 100)"),
    ("recipe.nesterov", 1, "recipe.nesterov=1 must be true or false"),
    ("recipe.label_smoothing", 1.0, "recipe.label_smoothing=1.0 must be a number in [0, 1)"),
    ("recipe.muon_lr", 0, "recipe.muon_lr=0 must be a number in (0, 10)"),
    ("augment.shift", -2, "augment.shift=-2 must be a whole number, at least 0"),
    ("schedule.warmup", 1, "schedule.warmup=1 must be a number in [0, 1)"),
    ("data.eval_batch_size", 0, "data.eval_batch_size=0 must be a whole number, at least 1"),
    ("seed", -1, "seed=-1 must be a whole number, at least 0"),
]


@pytest.mark.parametrize(("key", "value", "says"), REFUSED)
def test_what_a_class_does_not_take_is_refused_in_its_words(key, value, says):
    config = as_written("model=air_att2", "recipe=fast")
    set_value(config, key, value)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 the text is compared as a whole
        check_limits(config, [key])
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("augment=flip_crop", "augment.flip", 1),
        ("data=image_folder", "data.val_size", 0.1),
        ("data=image_folder", "data.image_size", None),
        ("recipe=air", "recipe.first_bias_epochs", None),
        ("model=air", "model.no_such", -1),
    ],
)
def test_what_a_class_may_take_is_left_to_it(group, key, value):
    config = as_written("data=cifar10", group)
    set_value(config, key, value)
    check_limits(config, [key])


def test_a_class_from_outside_is_not_read():
    check_limits({"model": {"_target_": "somebody.models.Own", "width": -1}}, ["model.width"])


@pytest.mark.parametrize("path", sorted(CONF.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_value_of_conf_is_refused(path):
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    config = content if path.read_text().startswith("# @package _global_") else {path.parent.name: content}

    def list_keys(node, prefix=""):
        for key, value in node.items() if isinstance(node, dict) else ():
            yield f"{prefix}{key}"
            yield from list_keys(value, f"{prefix}{key}.")

    check_limits(config, list_keys(config))


def test_a_run_ends_before_torch_is_imported():
    code = (
        "import runpy, sys; sys.argv = ['lta.run', 'model.width=-1']\n"
        "try: runpy.run_module('lta.run', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as ended: print(ended.code, 'torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["1", "False"]
    assert "error: model.width=-1 must be a number in (0, 64)" in ended.stderr


def test_a_job_of_a_sweep_too(tmp_path, capsys):
    ended = lta_run(capsys, ["-m", "seed=0", "recipe.epochs=0", f"hydra.sweep.dir={tmp_path}/sweep"])
    assert_refused(ended, "recipe.epochs=0 must be a whole number, at least 1")
