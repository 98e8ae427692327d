"""A run that goes on, or was stopped: how far it came, and its epochs so far, to be drawn next to those of finished runs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lta.report.history import clean_history, is_number
from lta.report.names import Names, names_of
from lta.runtime.run_directory import is_being_run

SHOWN = ("train/error", "val/error")
"""What is said of its last epoch."""


class Unfinished(NamedTuple):
    """`epochs`: how many its training has; None where its configuration does not say. `history` has a mapping an epoch."""

    path: Path
    names: Names
    is_running: bool
    epochs: int | None
    history: Sequence[Mapping[str, float]]

    @property
    def label(self) -> str:
        """What tells it from others in a legend."""
        state = "running" if self.is_running else "not finished"
        return f"{self.names}, {state}: {self.path.name}, {describe_epochs(len(self.history), self.epochs)}"

    @property
    def runs(self) -> "tuple[Unfinished]":
        """Itself: it is drawn as a group of one."""
        return (self,)


def read_unfinished(directory: Path, config: Mapping[str, Any]) -> tuple[Unfinished | None, str]:
    """None where `config` is none of lta's; and how far it came, in words, also then."""
    running = find_running(directory)
    history = clean_history(_read_rows(directory / "metrics.csv"))[0]
    recipe = config.get("recipe")
    epochs = recipe.get("epochs") if isinstance(recipe, Mapping) else None
    epochs = int(epochs) if is_number(epochs) and epochs >= 1 else None
    last = history[-1] if history else {}
    figures = ", ".join(f"{key} {last[key]:g}" for key in SHOWN if key in last)
    progress = f"{describe_epochs(len(history), epochs)} recorded" if history else "no epoch is recorded"
    progress += f", the last with {figures}" if figures else ""
    said = f"running now: {progress}" if running else f"not finished: it has no results.json ({progress})"
    try:
        return Unfinished(directory, names_of(config), running, epochs, history), said
    except (AttributeError, KeyError, TypeError, ValueError):  # as in `group_runs`: it may hold anything
        return None, said


def find_running(directory: Path) -> bool:
    """Whether a process of this machine trains there. False where its lock can't be asked."""
    try:
        return is_being_run(directory)
    except (OSError, NotImplementedError):  # somebody else's, or on a file system without locks
        return False


def describe_epochs(count: int, of: int | None) -> str:
    """`2 of 30 epochs`."""
    return f"{count} of {of} epochs" if of is not None else f"{count} epoch{'s' * (count != 1)}"


def _read_rows(file: Path) -> list[dict[str, float]]:
    """What of it are numbers; nothing where it is no table."""
    if not file.is_file():  # reading a pipe would wait for ever
        return []
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return [_parse_row(row) for row in csv.DictReader(opened)]
    except (OSError, csv.Error, UnicodeDecodeError):
        return []


def _parse_row(row: Mapping[Any, Any]) -> dict[str, float]:
    found = {}
    for key, text in row.items():
        try:
            found[key] = float(text)
        except (TypeError, ValueError):  # empty, cut off, or more cells than columns
            continue
    return {key: value for key, value in found.items() if isinstance(key, str)}
