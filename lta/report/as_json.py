"""The report as JSON: what its tables say, and the figures of every seed behind it."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from lta.report.answers import Cell, Table
from lta.report.groups import Group
from lta.report.page import Report
from lta.report.pairs import Pair
from lta.report.runs import Run
from lta.report.statistics import Summary

DIGITS = 6
"""After the point: errors are float32 in the runs' files."""


def render_json(made: Report) -> str:
    """Errors in percent, differences in points, `seconds` of a whole training."""
    found = {
        "title": made.title,
        "command": made.command,
        "time": made.time,
        "configurations": [_configuration(group) for group in made.groups],
        "against": [_pair(pair) for pair in made.pairs],
        "answers": [_answers(table) for table in made.tables],
    }
    return json.dumps(found, indent=1) + "\n"


def _pair(pair: Pair) -> Mapping[str, Any]:
    return {
        "data": pair.group.names.data,
        "configuration": pair.group.label,
        "reference": pair.reference.label,
        "difference": _summary(pair.difference),
        "words": pair.words,
        "validation_difference": _summary(pair.validation),
    }


def _configuration(group: Group) -> Mapping[str, Any]:
    return {
        "label": group.label,
        **group.names._asdict(),
        "test_error": _summary(group.summary),
        "deviations": [one.words for one in group.deviations],
        "verdict": {"words": group.verdict.words, "why": group.verdict.why},
        "runs": [_run(run) for run in group.runs],
    }


def _run(run: Run) -> Mapping[str, Any]:
    kept = ("epochs", "seconds", "training_flops", "parameters", "device", "precision")
    kept += ("coding", "test_images", "test_checkpoint")
    start = run.starts[0] if run.starts else {}
    return {
        "seed": run.seed,
        "test_error": round(run.error, DIGITS),
        **{name: run.results[name] for name in kept if name in run.results},
        "val_error": [round(row["val/error"], DIGITS) for row in run.history if "val/error" in row],
        "commit": start.get("git", {}).get("commit"),
        "command": _command(start),
        "starts": len(run.starts),
    }


def _command(start: Mapping[str, Any]) -> str:
    """Without the directory that this run went to, which a sweep's launcher adds."""
    return shlex.join(part for part in map(str, start.get("command", ())) if not part.startswith("hydra.run.dir="))


def _answers(table: Table) -> Mapping[str, Any]:
    rows = {
        name: {group.label: _cell(cell) for group, cell in zip(table.groups, cells, strict=True) if cell is not None}
        for name, cells in table.rows.items()
    }
    return {"evaluator": table.evaluator, "data": table.data, "figures": rows}


def _cell(cell: Cell) -> Any:
    return cell.text if cell.summary is None else _summary(cell.summary)


def _summary(one: Summary | None) -> Any:
    if one is None:
        return None
    return {name: _round_value(value) for name, value in one._asdict().items()}


def _round_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(end, DIGITS) for end in value]
    return round(value, DIGITS) if isinstance(value, float) else value
