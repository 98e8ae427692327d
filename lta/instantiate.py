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
