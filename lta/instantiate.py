"""From a configuration to plain data, and to the objects that it names. Imports no torch."""

from typing import Any

import hydra
from omegaconf import OmegaConf


def plain(cfg: Any) -> Any:
    """Resolved, in plain dicts and lists."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def build(node: Any, *args: Any, **kwargs: Any) -> Any:
    """`hydra.utils.instantiate`, lists and dicts as plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **kwargs)


def build_each(nodes: Any) -> dict[str, Any]:
    """What each node of a nest names, by the node's name; null ones are left out, and so is a null nest."""
    return {name: build(node) for name, node in (nodes or {}).items() if node}
