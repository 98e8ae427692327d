"""Run directories, read as files: what is whole enough to be reported, and why the rest is not."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MARKS = ("config.yaml", "run.json", "results.json")
"""A directory that holds one of these is taken for a run's."""


class Run(NamedTuple):
    """`results`, `starts` and `answers` as the run and lta.evaluate wrote them; `history` has a mapping an epoch."""

    path: Path
    config: Mapping[str, Any]
    results: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, float]]
    answers: Mapping[str, Mapping[str, Any]]
    panels: Sequence[Path]

    @property
    def seed(self) -> Any:
        return self.config.get("seed")

    @property
    def error(self) -> float:
        return float(self.results["test"]["error"])


class LeftOut(NamedTuple):
    """What is missing from the report: a whole run, or a part of one."""

    path: Path
    reason: str


class Unusable(Exception):
    """Why a directory can't be reported, in words."""


def read(places: Sequence[Path]) -> tuple[list[Run], list[LeftOut]]:
    """All runs at or below `places`, each once, in the order of their paths, and what had to be left out.

    Raises ValueError where a place does not exist.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    seen: set[Path] = set()
    for place in places:
        if not place.exists():
            raise ValueError(f"{place} does not exist; give run directories, or folders that hold some")
        directories = sorted(_directories(place))
        if not directories:
            left_out.append(LeftOut(place, f"no run: neither it nor a folder below it has a {' or '.join(MARKS)}"))
        for directory in directories:
            if directory.resolve() in seen:
                continue
            seen.add(directory.resolve())
            try:
                run, missing = _read(directory)
            except Unusable as why:
                left_out.append(LeftOut(directory, str(why)))
            else:
                runs.append(run)
                left_out += [LeftOut(directory, reason) for reason in missing]
    return runs, left_out


def _directories(place: Path) -> Iterator[Path]:
    """Runs are not looked for inside runs."""
    for folder, below, files in os.walk(place):
        if any(mark in files for mark in MARKS):
            below.clear()
            yield Path(folder)


def _read(directory: Path) -> tuple[Run, list[str]]:
    missing: list[str] = []
    config = _mapping(directory / "config.yaml", lambda text: yaml.load(text, Loader))
    results_file = directory / "results.json"
    if not results_file.is_file():
        raise Unusable(f"not finished: it has no results.json ({_progress(directory)})")
    results = _mapping(results_file, json.loads)
    error = results.get("test", {}).get("error") if isinstance(results.get("test"), dict) else None
    if not _is_number(error) or not 0 <= error <= 100:
        raise Unusable(f"results.json has no test error (test.error is {error!r}): of another version, or not tested")
    if not isinstance(config.get("seed"), (int, str, type(None))):
        raise Unusable(f"config.yaml has the seed {config['seed']!r}")
    for part in ("model", "data", "recipe"):
        if not isinstance(config.get(part), dict):
            raise Unusable(f"config.yaml has no {part}: of another version")
    starts: Sequence[Mapping[str, Any]] = []
    try:
        starts = [_start(start) for start in _mapping(directory / "run.json", json.loads)["starts"]]
    except (Unusable, AttributeError, KeyError, TypeError, ValueError):
        missing.append("its run.json can't be read: command and commit are unknown")
    history, dropped = _history(results.get("history"))
    if not history:
        missing.append("results.json has no history: it is in no curve")
    elif dropped:
        missing.append(f"{dropped} values of its history are no numbers")
    answers = {}
    for path in sorted((directory / "evaluations").glob("*.json")):
        try:
            answer = _mapping(path, json.loads)
            question = answer["question"]
            of_lta = isinstance(answer["figures"], dict) and isinstance(question.get("settings", {}), dict)
            if not of_lta or not isinstance(question["data"]["_target_"], str):
                raise TypeError
        except (Unusable, AttributeError, KeyError, TypeError):
            missing.append(f"evaluations/{path.name} can't be read")
        else:
            answers[path.stem] = answer
    if not answers:
        missing.append("without evaluations: only its training is shown")
    panels = [path for path in sorted((directory / "attention").glob("epoch_*.png")) if path.stem[6:].isdecimal()]
    return Run(directory, config, results, starts, history, answers, panels), missing


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300 and isfinite(value)  # a longer integer is no float


def _history(rows: Any) -> tuple[list[dict[str, float]], int]:
    """Rows with an epoch, of which only numbers are kept; and how many values (or rows) were not."""
    if not isinstance(rows, list):
        return [], 0
    kept = [
        row if all(type(value) is float and isfinite(value) for value in row.values())  # as lta writes it: nothing to copy
        else {key: value for key, value in row.items() if _is_number(value)}
        for row in rows if isinstance(row, dict) and _is_number(row.get("epoch"))
    ]  # fmt: skip
    values = sum(len(row) for row in rows if isinstance(row, dict) and _is_number(row.get("epoch")))
    return kept, values - sum(map(len, kept)) + len(rows) - len(kept)


def _start(start: Mapping[str, Any]) -> dict[str, Any]:
    """As begun by lta.run; raises TypeError where it is not."""
    git = start.get("git") or {}
    if not isinstance(start.get("command"), list) or not isinstance(git, dict):
        raise TypeError
    return {**start, "git": {**git, "commit": str(git.get("commit", "unknown"))}}


def _mapping(path: Path, parse: Any) -> dict[str, Any]:
    try:
        found = parse(path.read_text())
    except FileNotFoundError as error:
        raise Unusable(f"it has no {path.name}") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unusable(f"{path.name} is broken: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise Unusable(f"{path.name} holds no settings, but {type(found).__name__}")
    return found


def _progress(directory: Path) -> str:
    """How far an unfinished run came, as its metrics.csv says."""
    try:
        with (directory / "metrics.csv").open() as file:
            epochs = sum(1 for _ in csv.DictReader(file))
    except (OSError, csv.Error, UnicodeDecodeError):
        return "no epoch is recorded"
    return f"{epochs} epoch{'s' * (epochs != 1)} recorded"
