"""What a user can get wrong: each check raises ValueError in one line with the key, its value and what is allowed."""

from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class RunError(ValueError):
    """What a user can get wrong, found where no other exception fits."""


def require_whole_number(key: str, value: Any, least: int = 0) -> None:
    """`value` is an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key}={value} must be a whole number, at least {least}")


def require_flag(key: str, value: Any) -> None:
    """`value` is true or false: YAML 1.2 reads `no` as a word, which Python would take for true."""
    if not isinstance(value, bool):
        raise ValueError(f"{key}={value} must be true or false")


def require_number(key: str, value: Any, low: float, high: float, without_low: bool = False) -> None:
    """`value` is a number in [low, high), or (low, high) `without_low`."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value < high
    if not fits or (without_low and value == low):
        raise ValueError(f"{key}={value} must be a number in {'(' if without_low else '['}{low:g}, {high:g})")


def require_share(key: str, value: Any) -> None:
    """`value` is a number from 0 to 1."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{key}={value} must be a number from 0 to 1")


def require_choice(key: str, value: Any, allowed: Collection[str]) -> None:
    """`value` is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{key}={value} is unknown; choose one of {', '.join(allowed)}")


def require_package(name: str, needed_by: str, ways: str) -> None:
    """The package is installed, without which `needed_by` can't be; `ways`: how to get it, and what does without. Nothing is
    imported."""
    if find_spec(name) is None:
        raise ValueError(f"{needed_by} needs the package {name}, which is not installed: {ways}")


def require_absent(files: Iterable[Path], overwrite: Any, other: str) -> None:
    """None of `files` exists, or `overwrite` is true; `other` is the setting with which they get another place."""
    require_flag("overwrite", overwrite)
    there = [] if overwrite else [file for file in files if file.exists() or file.is_symlink()]
    if there:
        more = f" (and {len(there) - 1} more of the results)" if len(there) > 1 else ""
        ways = f"overwrite=true replaces existing files, {other} writes elsewhere"
        raise ValueError(f"{there[0]} already exists{more}: {ways}")
