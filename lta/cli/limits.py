"""Numbers that can't be, refused before torch is imported: by the limits that the classes themselves state.

A class checks its settings by `checks.require_...("group.key", value, limits)`. The call is read from its source here, so
that the limit stands once. What a class allows under a condition is left to the class.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lta import checks
from lta.cli.plugins import PACKAGE


class Check(NamedTuple):
    """A call of one of the functions of `lta.checks`, but for key and value."""

    function: str
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]


def check_limits(config: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raises ValueError for the first of `keys` (dotted) whose value, a number or a flag, the class would refuse that
    `config` names for it, or a class of lta's that it is made of."""
    for key in keys:
        value, target = _find_value(config, key)
        if isinstance(value, (int, float)):
            refused = [_refuse(check, key, value) for check in _find_checks(key, target)]
            if refused and refused[0] and len(set(refused)) == 1:
                raise ValueError(refused[0])


def _find_value(config: Mapping[str, Any], key: str) -> tuple[Any, str]:
    """With the deepest `_target_` on the way there, or "" where there is none."""
    value, target = config, ""
    for part in key.split("."):
        if not isinstance(value, Mapping):
            return None, target
        target = value.get("_target_", target)
        value = value.get(part)
    return value, target


def _refuse(check: Check, key: str, value: Any) -> str:
    try:
        getattr(checks, check.function)(key, value, *check.arguments, **dict(check.keywords))
    except ValueError as error:
        return str(error)
    return ""


@cache
def _find_checks(key: str, target: str) -> list[Check]:
    found: list[Check] = []
    for path in _list_sources(target):
        text = path.read_text()
        if f'"{key}"' in text:
            found += _read_checks(ast.parse(text), key)
    return found


def _list_sources(target: str) -> list[Path]:
    """Files that define a class of lta's: its own, and those of its folder that it imports; none of another package's class.
    Without a class, those that read the command's own settings."""
    if not target:
        return sorted((PACKAGE / "cli").glob("*.py"))
    waiting, found = [target.rpartition(".")[0]], dict[str, Path]()
    folder = ".".join(target.split(".")[:2])
    while waiting:
        module = waiting.pop()
        path = PACKAGE.parent / f"{module.replace('.', '/')}.py"
        if module in found or not module.startswith("lta.") or not path.is_file():
            continue
        found[module] = path
        waiting += re.findall(rf"^from ({re.escape(folder)}[\w.]*) import", path.read_text(), re.MULTILINE)
    return list(found.values())


def _read_checks(node: ast.AST, key: str) -> Iterator[Check]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and not _is_about_none(child.test):
            continue
        if isinstance(child, ast.Call) and (check := _read_check(child, key)):
            yield check
        yield from _read_checks(child, key)


def _is_about_none(test: ast.expr) -> bool:
    """Whether a condition is that something is given: `x is not None`."""
    return isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.IsNot)


def _read_check(call: ast.Call, key: str) -> Check | None:
    function = call.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "checks"):
        return None
    if not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == key):
        return None
    try:
        limits = tuple(ast.literal_eval(argument) for argument in call.args[2:])
        keywords = tuple((str(one.arg), ast.literal_eval(one.value)) for one in call.keywords)
    except ValueError:  # a name that its module gives a value
        return None
    return Check(function.attr, limits, keywords)
