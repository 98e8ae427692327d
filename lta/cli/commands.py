"""What each command reads, and from which folders of conf/ it chooses. Imports no torch."""

from pathlib import Path
from typing import NamedTuple

import lta

PACKAGE = Path(lta.__file__).resolve().parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""Inside the package in a wheel, beside it in a checkout."""

RUN = "config"
"""The name of lta.run's configuration; the other commands' are their own."""

PARTS = {
    "seed",
    "test_checkpoint",
    "test_each_epoch",
    "resume",
    "model",
    "compat",
    "head",
    "data",
    "preprocess",
    "augment",
    "recipe",
    "schedule",
    "author",
    "trainer",
    "logger",
    "callbacks",
    "evaluator",
}
"""What the configuration of a run consists of."""


class Command(NamedTuple):
    """`parts` of its configuration, and the `list_groups` that it chooses from."""

    parts: tuple[str, ...]
    groups: tuple[str, ...]


COMMANDS = {
    "evaluate": Command(
        ("checkpoint", "which", "evaluator", "data", "device", "precision", "seed", "wandb"), ("evaluator", "data")
    ),
    "apply": Command(
        (
            "checkpoint",
            "which",
            "segmentation",
            "segmenter",
            "mask",
            "images",
            "out",
            "overwrite",
            "effect",
            "attention",
            "device",
        ),
        ("effect",),
    ),
    "demo": Command(
        ("checkpoint", "compare", "which", "effect", "attention", "device", "host", "port", "open", "largest"), ("effect",)
    ),
    "export": Command(("checkpoint", "which", "format", "out", "overwrite"), ()),
}
"""Those beside lta.run."""


def list_groups() -> list[str]:
    """Names of the folders of conf/ from which some command chooses."""
    return sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")


def groups_of(config_name: str) -> tuple[str, ...]:
    """Those of one command, by the name of its configuration."""
    if config_name in COMMANDS:
        return COMMANDS[config_name].groups
    return tuple(group for group in list_groups() if group != "effect")


def list_choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
