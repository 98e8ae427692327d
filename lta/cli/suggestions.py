"""Which setting or choice somebody may have meant: those that the files of conf/ give. Imports no torch."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lta.cli.commands import RUN, groups_of
from lta.cli.plugins import ConfRoot, conf_roots

NOT_SETTINGS = ("kind", "author")
"""Folders below a group's own whose files set what others have."""

LIKE, VERY_LIKE = 0.7, 0.85
"""How alike two names beside each other, and two anywhere, are for one to be meant by the other (difflib: from 0 to 1)."""

MOST_LISTED, NEAREST = 30, 5
"""Choices that an error lists, and how many of those where there are more."""


def describe_unknown_setting(key: str, config_name: str = RUN, roots: tuple[ConfRoot, ...] = ()) -> str:
    """What follows "there is no setting ...": where `key` is one of that command, or which one it is like, if any."""
    said = describe_owners(key, config_name, roots) or suggest_setting(key, config_name, roots)
    return f": {said}" if said else ""


def describe_owners(key: str, config_name: str = RUN, roots: tuple[ConfRoot, ...] = ()) -> str:
    """Which choices of its group have the setting `key`; empty where none has, or where it is in every configuration."""
    choices = ", ".join(_collect_settings(config_name, roots or tuple(conf_roots())).get(key, ()))
    return f"{key.partition('.')[0]}={choices} {'have' if ',' in choices else 'has'} it" if choices else ""


def suggest_setting(key: str, config_name: str = RUN, roots: tuple[ConfRoot, ...] = ()) -> str:
    """Which setting `key` is like, as a question; empty if none is, or it is one."""
    known = _collect_settings(config_name, roots or tuple(conf_roots()))
    if key in known:
        return ""
    parent, _, name = key.rpartition(".")
    beside = {one.rpartition(".")[2]: one for one in known if one.rpartition(".")[0] == parent}
    alike = [beside[like] for like in get_close_matches(name, beside, n=1, cutoff=LIKE)]
    alike = alike or sorted(one for one in known if one.rpartition(".")[2] == name)[:2]
    if not alike:
        by_name = {one.rpartition(".")[2]: one for one in sorted(known, reverse=True)}
        alike = [by_name[like] for like in get_close_matches(name, by_name, n=1, cutoff=VERY_LIKE)]
    return f"did you mean {' or '.join(alike)}?" if alike else ""


def suggest_choice(name: str, names: list[str]) -> str:
    """Which of `names` is like `name`, as a question in brackets; empty if none is."""
    alike = get_close_matches(name, names, n=1, cutoff=LIKE)
    return f" (did you mean {alike[0]}?)" if alike else ""


def list_nearest(name: str, names: list[str]) -> str:
    """What may be chosen, in words: all of `names`, or of more than MOST_LISTED the NEAREST that `name` is like."""
    if len(names) <= MOST_LISTED:
        return f"choose one of {', '.join(names)}"
    nearest = get_close_matches(name, names, n=NEAREST, cutoff=0)
    return f"the nearest of {len(names)} are {', '.join(nearest)} (--help lists all)"


@cache
def _collect_settings(config_name: str, roots: tuple[ConfRoot, ...]) -> dict[str, list[str]]:
    """By dotted key, the choices of its group that have it; none of the groups themselves and of what is always there."""
    found: dict[str, list[str]] = {key: [] for key in _iter_keys(roots[0].path / f"{config_name}.yaml")}
    for group in groups_of(config_name):
        found.setdefault(group, [])
        if group == "experiment":
            continue
        for file, folder in ((file, file.relative_to(root.path).parent) for root in roots for file in root.files(group)):
            if set(folder.parts) & set(NOT_SETTINGS):
                continue
            package = _read_package(file)
            prefix = ".".join(folder.parts) if package is None else package.removeprefix("_global_")
            for key in (f"{prefix}.{key}".lstrip(".") for key in _iter_keys(file)):
                if key.startswith(f"{group}."):  # a recipe also sets what other groups have
                    choices = found.setdefault(key, [])
                    choices += [] if file.stem in choices else [file.stem]
    return found


def _read_package(file: Path) -> str | None:
    """Where a file says that its settings belong, if not to its folder's name."""
    found = re.match(r"# @package (\S+)", file.read_text())
    return found[1] if found else None


def _iter_keys(file: Path) -> Iterator[str]:
    content = yaml.safe_load(file.read_text()) or {}
    for other in content.get("defaults", ()):  # files beside it, on which it is based
        base = file.parent / f"{other}.yaml"
        if isinstance(other, str) and base.is_file() and _read_package(base) == _read_package(file):
            yield from _iter_keys(base)
    for key, value in content.items():
        if key not in ("defaults", "hydra") and not key.startswith("_"):
            yield from _iter_flat_keys(key, value)


def _iter_flat_keys(key: str, value: Any) -> Iterator[str]:
    yield key
    if isinstance(value, Mapping):
        for below, content in value.items():
            if not str(below).startswith("_"):
                yield from _iter_flat_keys(f"{key}.{below}", content)
