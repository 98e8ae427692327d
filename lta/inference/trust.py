"""What the configuration in a checkpoint may have built. A checkpoint may come from anywhere."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from lta.cli.commands import CONF

READ = ("model", "data", "preprocess", "augment", "recipe", "seed")
"""The parts of a checkpoint's configuration that are built or read."""

NAMED_BY = ("model", "compat", "head", "data", "preprocess", "augment", "recipe", "schedule")
"""The groups of conf/ whose files name the classes and functions that may be called."""


def check_names(config: dict[str, Any], path: Path) -> None:
    """Raises ValueError where the `config` of the checkpoint `path` names other code than conf/ does, or a `${...}`, which
    OmegaConf would resolve."""
    for part in READ:
        _check(config.get(part), path)


def _check(node: Any, path: Path) -> None:
    if isinstance(node, str) and "${" in node:
        raise ValueError(f"{path} holds {node}, which would be computed: it is not loaded")
    if isinstance(node, dict):
        if "_target_" in node and node["_target_"] not in _list_allowed_names():
            asked = node["_target_"]
            raise ValueError(f"{path} asks for {asked}, which is not a part of lta's networks: it is not loaded")
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            _check(part, path)


@cache
def _list_allowed_names() -> frozenset[str]:
    files = (path for group in NAMED_BY for path in (CONF / group).glob("*.yaml"))
    return frozenset(name for file in files for name in re.findall(r"^ *_target_: *(\S+)", file.read_text(), re.MULTILINE))
