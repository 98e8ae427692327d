"""What the files of conf/experiment/ say, and what the tests of them share."""

import importlib.util
import re
from functools import cache

import hydra
from omegaconf import OmegaConf

import lta.cli.resolvers  # noqa: F401  files of conf/ ask for them
from lta.cli.plugins import CONF

_spec = importlib.util.spec_from_file_location("make_experiments", CONF.parent / "experiments" / "make_experiments.py")
make_experiments = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make_experiments)

SOURCE = make_experiments.read_source()
ROW_OF = SOURCE["rows"]

FILES = {path.stem: path for path in sorted((CONF / "experiment").glob("*.yaml"))}
SMALL = [name for name in ROW_OF if name.startswith("small_")]
ROWS = [name for name in ROW_OF if name not in SMALL]
LADDER = [name for name in ROWS if name.startswith("ladder_")]

CLASSES = {"cifar10": 10, "cifar100": 100, "svhn": 10, "cub200": 200}


@cache
def composed(*overrides):
    """(configuration, what was chosen from each group)"""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("config", list(overrides), return_hydra_config=True)
    chosen = cfg.hydra.runtime.choices
    return OmegaConf.masked_copy(cfg, [key for key in cfg if key not in ("hydra", "logger")]), chosen


def experiment(name):
    return composed(f"experiment={name}")


def header(name):
    """The comment's parts by their labels, each on one line; `Note` as a list."""
    lines = FILES[name].read_text().split("defaults:")[0].splitlines()
    assert lines[0] == "# @package _global_"
    parts = {"Note": []}
    for line in re.sub(r"\n#   ", " ", "\n".join(lines[1:])).splitlines():
        label, value = re.fullmatch(r"# (\w+): (.+)", line).groups()
        if label == "Note":
            parts["Note"].append(value)
        else:
            assert label not in parts
            parts[label] = value
    return parts
