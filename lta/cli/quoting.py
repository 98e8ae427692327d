"""Paths and names, written so that Hydra reads what was typed: `data.root=my data (1)`. Imports no torch.

Hydra's grammar takes `(`, `[`, `=`, `'`, spaces, accents, `12345` and `null` for something else. What is rewritten
here is not rewritten again: further processes, jobs of sweeps and copied commands get these arguments once more.
"""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from omegaconf import OmegaConf

from lta.cli.commands import COMMANDS, PARTS
from lta.cli.path_settings import LISTS, NAMES, PATHS, exists, expand_home, is_list, is_quoted, split_at_commas, unquote
from lta.instantiate import escape

OF_LIGHTNING = "hydra.job.name=train_ddp_process_"
"""How the argument begins that Lightning adds to those of a further process, behind its hydra.run.dir."""

ESCAPED = {*"\\()[]{}:=, \t"}
"""What Hydra's sweeper puts a backslash before where it is not in quotes."""

FUNCTION = re.compile(r"[a-z]+\s*\(.*\)", re.DOTALL)


def quote_arguments(arguments: Sequence[str], lists: Sequence[str] = ()) -> list[str]:
    """The command line's settings, those that name paths or names quoted for Hydra where that is needed.

    Of the keys in `lists` (and `LISTS`) a value is one path where there is such a path, else it is split at commas. Under -m
    a value with commas is a sweep, unless it is quoted. `~` becomes the home directory.
    """
    swept = bool({"-m", "--multirun"} & set(arguments))
    return [_quote_argument(argument, (*lists, *LISTS), swept) for argument in _quote_directory_of_lightning(arguments)]


def quote(text: str) -> str:
    """`text` as one quoted string of Hydra, which neither Hydra nor OmegaConf computes anything in."""
    return QuotedString(escape(text), Quote.single).with_quotes()


def quote_if_needed(key: str, text: str) -> str:
    """`text` as Hydra reads it for `key`: itself where that is what it reads, else in quotes."""
    return text if not ESCAPED & {*text} and _parse(key, text) == text else quote(text)


def _quote_directory_of_lightning(arguments: Sequence[str]) -> list[str]:
    """Lightning puts quotes about the directory and leaves those that are in it as they are."""
    changed = list(arguments)
    for place in range(1, len(changed)):
        if changed[place].startswith(OF_LIGHTNING) and (before := changed[place - 1]).startswith('hydra.run.dir="'):
            changed[place - 1] = f"hydra.run.dir={quote(before.removeprefix('hydra.run.dir=')[1:-1])}"
    return changed


def _quote_argument(argument: str, lists: Sequence[str], swept: bool) -> str:
    given, _, value = argument.partition("=")
    key = given.lstrip("+")
    if not value or key not in (*PATHS, *NAMES):
        return argument
    is_path, of_hydra = key in PATHS, key.startswith("hydra.")
    if swept and not of_hydra:
        if FUNCTION.fullmatch(value) and _parses(argument):  # choice(...), glob(...), shuffle(...)
            return argument
        return f"{given}={','.join(_quote_element(key, part, key in lists) for part in split_at_commas(value))}"
    if is_path and exists(value) and not is_quoted(value):
        return f"{given}={quote_if_needed(key, value)}"
    if key in lists and not is_list(value) and len(parts := split_at_commas(value)) > 1:
        value = f"[{','.join(parts)}]"
    return f"{given}={_quote_element(key, value, key in lists)}"


def _quote_element(key: str, value: str, may_be_list: bool) -> str:
    """One value, or a list whose elements are quoted."""
    if may_be_list and is_list(value):
        parts = split_at_commas(value[1:-1]) if value[1:-1].strip() else []
        return f"[{','.join(_quote_one(key, part) for part in parts)}]"
    return _quote_one(key, value)


def _quote_one(key: str, value: str) -> str:
    is_path, of_hydra = key in PATHS, key.startswith("hydra.")
    if is_quoted(value):
        whole = expand_home(unquote(value)) if is_path else unquote(value)
        return value if whole == unquote(value) else quote(whole)
    if value == "null" and not of_hydra and not (is_path and exists(value)):
        return value  # nothing is named: what conf/ says of null
    text = expand_home(value) if is_path else value
    if is_path and exists(text):
        return quote_if_needed(key, text)
    if "${" in text and _is_interpolated(text):
        return text if _parse(key, text) == text else QuotedString(text, Quote.single).with_quotes()
    read = _parse(key, text)
    if is_path and isinstance(read, str) and exists(read):  # escaped for Hydra, as `my\ data`
        text = read
    return quote_if_needed(key, text)


def _parse(key: str, text: str) -> object:
    """What Hydra reads from an unquoted `key=text`; None where it can't, or reads a sweep or a function's value."""
    try:
        override = OverridesParser.create().parse_override(f"{key}={text}")
    except HydraException:
        return None
    return None if override.is_sweep_override() or FUNCTION.fullmatch(text) else override.value()


def _parses(argument: str) -> bool:
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def _is_interpolated(text: str) -> bool:
    """Whether each `${...}` asks for a setting or a resolver that there is; else it is part of a name."""
    setup_globals()  # Hydra's own resolvers: now, hydra, python_version
    known = {"hydra", *PARTS, *(part for command in COMMANDS.values() for part in command.parts)}
    asked = re.findall(r"\$\{\s*([\w.]*)\s*(:?)", text)
    return text.count("${") == len(re.findall(r"\$\{[^{}]*\}", text)) and all(
        OmegaConf.has_resolver(name) if colon else name.partition(".")[0] in known for name, colon in asked
    )
