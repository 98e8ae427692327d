"""What evaluators answered about runs, over seeds: the figures that a reader looks at first (`wording`)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from lta.report.groups import Group
from lta.report.names import names_of
from lta.report.runs import Run
from lta.report.statistics import Summary, summarise_values
from lta.report.wording import matches_pattern, select_patterns


class Cell(NamedTuple):
    """`text` where the answer is in words; `runs` that it rests on."""

    summary: Summary | None
    text: str
    runs: Sequence[Run]


class Table(NamedTuple):
    """One question, asked about one data set: by figure a cell a group, None where it was not asked."""

    evaluator: str
    data: str
    groups: Sequence[Group]
    rows: Mapping[str, Sequence[Cell | None]]


def build_tables(groups: Sequence[Group]) -> list[Table]:
    """A table for each evaluator, data set and settings that some run has answered."""
    asked = {
        (name, _data(run, answer), _key(answer)): None
        for group in groups
        for run in group.runs
        for name, answer in run.answers.items()
    }
    return [_build_table(name, data, key, groups) for name, data, key in sorted(asked)]


def _data(run: Run, answer: Mapping[str, Any]) -> str:
    """The data's name; that of a class from elsewhere is known where the run was trained on it too."""
    data = answer["question"]["data"]
    choices = {"data": run.choices.get("data")} if data["_target_"] == run.config["data"].get("_target_") else {}
    return names_of({"model": {}, "data": data}, choices).data


def _key(answer: Mapping[str, Any]) -> str:
    """Answers are set side by side where the question was the same: its data, images, settings, checkpoint and precision."""
    question = answer["question"]
    data = {key: value for key, value in question["data"].items() if key not in ("root", "seed", "batch_size", "cache")}
    return repr(
        (
            sorted(data.items(), key=str),
            sorted(question.get("settings", {}).items(), key=str),
            *(question.get(key) for key in ("images", "checkpoint", "precision")),
        )
    )


def _build_table(evaluator: str, data: str, key: str, groups: Sequence[Group]) -> Table:
    patterns = tuple(select_patterns(evaluator))
    found: list[dict[str, list[tuple[Run, Any]]]] = []
    of_groups = []
    for group in groups:
        values: dict[str, list[tuple[Run, Any]]] = {}
        for run in group.runs:
            answer = run.answers.get(evaluator)
            if answer is not None and _data(run, answer) == data and _key(answer) == key:
                for name, value in _iter_values(answer["figures"]):
                    if any(matches_pattern(name, pattern) for pattern in patterns):
                        values.setdefault(name, []).append((run, value))
        if values:
            of_groups.append(group)
            found.append(values)
    order = dict.fromkeys(name for values in found for name in values)
    rank = {name: next(place for place, pattern in enumerate(patterns) if matches_pattern(name, pattern)) for name in order}
    rows = {name: [_make_cell(values.get(name)) for values in found] for name in sorted(order, key=lambda name: rank[name])}
    return Table(evaluator, data, of_groups, rows)


def _iter_values(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure's value, and every text, by dotted name; a part with a dot of its own stands in brackets."""
    if isinstance(node, Mapping):
        if isinstance(node.get("value"), (int, float)) and isfinite(node["value"]):
            yield prefix, float(node["value"])
        for key, value in node.items():
            part = f"[{key}]" if "." in str(key) else str(key)
            yield from _iter_values(value, f"{prefix}.{part}" if prefix else part)
    elif isinstance(node, str):
        yield prefix, node


def _make_cell(values: Sequence[tuple[Run, Any]] | None) -> Cell | None:
    if not values:
        return None
    runs = [run for run, _ in values]
    numbers = [value for _, value in values if isinstance(value, float)]
    if len(numbers) == len(values):
        return Cell(summarise_values(numbers), "", runs)
    counted = Counter(str(value) for _, value in values)
    text = "; ".join(
        word if count == len(values) == 1 else f"{word} ({count} of {len(values)})" for word, count in counted.items()
    )
    return Cell(None, text, runs)
