"""What the files of conf/experiment/ say, and what the tests of them share."""

import re
from functools import cache
from pathlib import Path

import hydra
import yaml
from omegaconf import OmegaConf

import lta.cli.resolvers  # noqa: F401  files of conf/ ask for them
from lta.cli.plugins import CONF

ROW_OF = yaml.safe_load(Path(__file__).with_name("experiment_rows.yaml").read_text())

FILES = {path.stem: path for path in sorted((CONF / "experiment").glob("*.yaml"))}
TABLES = ("cifar10", "cifar100", "svhn", "cub200", "ladder", "control", "air")
ROWS = [name for name in FILES if name.partition("_")[0] in TABLES]
SMALL = [name for name in FILES if name.startswith("small_")]
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
