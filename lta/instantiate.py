"""From a configuration to plain data, and to the objects that it names. Imports no torch."""

import re
from inspect import signature
from typing import Any, TypeVar

import hydra
from omegaconf import OmegaConf

T = TypeVar("T")


def plain(cfg: Any) -> Any:
    """Resolved, in plain dicts and lists."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def escape(node: T) -> T:
    """`node`, text or a nest of dicts and lists that is resolved already, as OmegaConf must be given it: a `${` in it is
    text, such as a part of a folder's name, and nothing to be computed."""
    given: Any = node
    if isinstance(given, str):
        given = re.sub(r"(\\*)\$\{", r"\1\1\\${", given)
    elif isinstance(given, dict):
        given = {key: escape(value) for key, value in given.items()}
    elif isinstance(given, list):
        given = [escape(value) for value in given]
    return given


def build(node: Any, *args: Any, **kwargs: Any) -> Any:
    """`hydra.utils.instantiate`, lists and dicts as plain containers. Nothing is computed in a plain `node` and `kwargs`."""
    resolved = plain(node) if OmegaConf.is_config(node) else node
    return hydra.utils.instantiate(_escape_twice(resolved), *args, _convert_="all", **_escape_twice(kwargs))


def _escape_twice(node: Any) -> Any:
    """For `instantiate`, which resolves a configuration, and reads what it has found as one."""
    return escape(escape(node))


def takes(node: Any, argument: str) -> bool:
    """Whether the class or function that `node` names has an argument of that name."""
    return argument in signature(hydra.utils.get_object(node["_target_"])).parameters


def build_each(nodes: Any) -> dict[str, Any]:
    """What each node of a nest names, by the node's name; null ones are left out, and so is a null nest."""
    return {name: build(node) for name, node in (nodes or {}).items() if node}
