"""Which setting somebody may have meant: those that the files of conf/ give, by their keys. Imports no torch."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

NOT_SETTINGS = ("experiment", "hydra", "with_recipe", "author")
"""Folders whose files set what others have."""

LIKE, VERY_LIKE = 0.7, 0.9
"""How alike two names beside each other, and two whole keys, are for one to be meant by the other (difflib: from 0 to 1)."""


def hint(key: str, conf: Path) -> str:
    """Where `key` is a setting, or which one it is like; empty if none is."""
    known = _settings(conf)
    if key in known:
        choices = known[key]
        return (
            f": {key.partition('.')[0]}={', '.join(choices)} {'has' if len(choices) == 1 else 'have'} it" if choices else ""
        )
    parent, _, name = key.rpartition(".")
    beside = {one.rpartition(".")[2]: one for one in known if one.rpartition(".")[0] == parent}
    meant = [beside[like] for like in get_close_matches(name, beside, n=1, cutoff=LIKE)]
    meant = meant or sorted(one for one in known if one.rpartition(".")[2] == name)[:2]
    meant = meant or get_close_matches(key, known, n=1, cutoff=VERY_LIKE)
    return f": did you mean {' or '.join(meant)}?" if meant else ""


def _settings(conf: Path) -> dict[str, list[str]]:
    """By dotted key, the choices of its group that have it; none of the groups themselves and of what all commands have."""
    found: dict[str, list[str]] = {key: [] for key in _keys(conf / "config.yaml")}
    for file in sorted(conf.glob("*/**/*.yaml")):
        folder = file.relative_to(conf).parent
        if set(folder.parts) & set(NOT_SETTINGS):
            continue
        found.setdefault(folder.parts[0], [])
        package = re.match(r"# @package (\S+)", file.read_text())
        prefix = package[1].removeprefix("_global_") if package else ".".join(folder.parts)
        for key in (f"{prefix}.{key}".lstrip(".") for key in _keys(file)):
            if key.startswith(f"{folder.parts[0]}."):  # a recipe also sets what other groups have
                choices = found.setdefault(key, [])
                choices += [] if file.stem in choices else [file.stem]
    return found


def _keys(file: Path) -> Iterator[str]:
    content = yaml.safe_load(file.read_text()) or {}
    for other in content.get("defaults", ()):  # files beside it, on which it is based
        if isinstance(other, str) and (file.parent / f"{other}.yaml").is_file():
            yield from _keys(file.parent / f"{other}.yaml")
    for key, value in content.items():
        if key not in ("defaults", "hydra") and not key.startswith("_"):
            yield from _flat(key, value)


def _flat(key: str, value: Any) -> Iterator[str]:
    yield key
    if isinstance(value, Mapping):
        for below, content in value.items():
            if not str(below).startswith("_"):
                yield from _flat(f"{key}.{below}", content)
