"""What each command reads, and from which folders of conf/ it chooses. Imports no torch."""

from typing import NamedTuple

from lta.cli.plugins import conf_roots

RUN = "config"
"""The name of lta.run's configuration; the other commands' are their own."""

PARTS = {
    "seed",
    "test_checkpoint",
    "test_each_epoch",
    "init_from",
    "resume",
    "trust",
    "model",
    "compat",
    "head",
    "data",
    "preprocess",
    "augment",
    "recipe",
    "schedule",
    "loss",
    "author",
    "trainer",
    "logger",
    "callbacks",
    "evaluator",
    "default_evaluators",
}
"""What the configuration of a run consists of."""


class Command(NamedTuple):
    """`parts` of its configuration, and the `groups` that it chooses from."""

    parts: tuple[str, ...]
    groups: tuple[str, ...]


COMMANDS = {
    "evaluate": Command(
        ("checkpoint", "which", "evaluator", "data", "device", "precision", "seed", "wandb", "weights", "trust"),
        ("evaluator", "data"),
    ),
    "apply": Command(
        (
            "checkpoint",
            "which",
            "segmentation",
            "segmenter",
            "mask",
            "backbone",
            "images",
            "out",
            "overwrite",
            "metadata",
            "effect",
            "attention",
            "device",
            "weights",
            "trust",
        ),
        ("effect",),
    ),
    "predict": Command(
        (
            "checkpoint",
            "which",
            "images",
            "out",
            "overwrite",
            "format",
            "top",
            "probabilities",
            "threshold",
            "overlays",
            "levels",
            "sheet",
            "batch_size",
            "device",
            "weights",
            "trust",
        ),
        (),
    ),
    "teach": Command(
        (
            "masks",
            "images",
            "out",
            "overwrite",
            "size",
            "threshold",
            "mirror",
            "ridge",
            "model",
            "device",
            "seed",
            "trust",
        ),
        (),
    ),
    "demo": Command(
        (
            "checkpoint",
            "compare",
            "which",
            "effect",
            "attention",
            "segmenter",
            "device",
            "host",
            "port",
            "open",
            "largest",
            "weights",
            "trust",
        ),
        ("effect",),
    ),
    "export": Command(("checkpoint", "which", "format", "out", "overwrite", "weights", "trust"), ()),
}
"""Those beside lta.run."""


def list_groups() -> list[str]:
    """Names of the folders of conf/ from which some command chooses, those that only a package has included."""
    folders = (path for root in conf_roots() for path in root.path.iterdir() if path.is_dir())
    return sorted({path.name for path in folders} - {"hydra"})


def groups_of(config_name: str) -> tuple[str, ...]:
    """Those of one command, by the name of its configuration."""
    if config_name in COMMANDS:
        return COMMANDS[config_name].groups
    return tuple(group for group in list_groups() if group != "effect")


def list_choices(group: str) -> list[str]:
    """Of lta, of installed packages and of `-cd`."""
    return sorted(label_choices(group))


def label_choices(group: str) -> dict[str, str]:
    """By choice, where it is from: a package's name, "-cd FOLDER", or "" where it is lta's."""
    return {choice: root.label for root in conf_roots() for choice in root.choices(group)}
