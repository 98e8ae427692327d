"""How the report's templates write runs, figures and settings."""

import html
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from lta.report.answers import Cell
from lta.report.deviations import is_trained_by_authors
from lta.report.groups import Group
from lta.report.names import shorten_target
from lta.report.published import Figure
from lta.report.runs import Run
from lta.report.statistics import Summary
from lta.runtime.teachers import name_teachers


def cite_runs(numbers: Sequence[int]) -> str:
    """1,2,3,7 as 1-3, 7."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def describe_run(number: int, run: Run) -> str:
    """A line that names the run, its seed, checkpoint and commands."""
    return f"[{number}] {run.path}, seed {run.seed}, {name_checkpoint(run)}: {join_commands(run)}"


def describe_answer(number: int, run: Run, evaluator: str) -> str:
    """An answer has a checkpoint and a command of its own."""
    answer = run.answers[evaluator]
    command = shlex.join(map(str, answer.get("command") or ())) or "command unknown"
    return f"[{number}] {run.path}, seed {run.seed}, {answer['question'].get('checkpoint', 'checkpoint unknown')}: {command}"


def name_checkpoint(run: Run) -> str:
    """The checkpoint that was tested."""
    return f"{run.results.get('test_checkpoint', 'last')}.ckpt"


def join_commands(run: Run) -> str:
    """Of each start of the run that was given another one."""
    return "; then ".join(dict.fromkeys(shlex.join(map(str, start["command"])) for start in run.starts)) or "command unknown"


def describe_code(run: Run) -> str:
    """Commits that the run was started with, and when it was begun."""
    commits = dict.fromkeys(
        start["git"]["commit"][:10] + (", changed" if start["git"].get("changed") else "") for start in run.starts
    )
    return "; then ".join(commits) + (f" ({str(run.starts[0].get('time', 'time unknown'))[:16]})" if commits else "unknown")


def title_deviations(data: str) -> str:
    """The heading of the column on settings: the authors trained on some data sets only."""
    if is_trained_by_authors(data):
        return "deviations from the authors' training"
    return "differences from the authors' training on CIFAR-10"


def format_spread(one: Summary, digits: int = 2) -> str:
    """Mean ± standard deviation; the mean alone where there is one seed."""
    return f"{one.mean:.{digits}f}" + (f" ± {one.sd:.{digits}f}" if one.sd is not None else "")


def format_interval(one: Summary, digits: int = 2) -> str:
    """Of an error in percent, which can't lie outside 0 to 100, as Student's interval can."""
    return (
        "one seed"
        if one.interval is None
        else f"{max(one.interval[0], 0):.{digits}f} to {min(one.interval[1], 100):.{digits}f}"
    )


def format_cell(cell: Cell) -> str:
    """With as many digits as its size needs."""
    if cell.summary is None:
        return cell.text
    size = abs(cell.summary.mean)
    if 0 < size < 1e-3:
        return f"{cell.summary.mean:.1e}"
    return format_spread(cell.summary, 1 if size >= 10 else 3)


def format_published(figures: Sequence[Figure]) -> str:
    """All figures, or a dash."""
    return ", ".join(map(str, figures)) or "-"


def compute_cost(group: Group) -> Mapping[str, str]:
    """Means over runs: minutes, images a second in training, and on what; and what taught the maps."""
    seconds = [run.results["seconds"] for run in group.runs if isinstance(run.results.get("seconds"), (int, float))]
    rates = [
        run.history[-1]["time/images"] / run.history[-1]["time/seconds"]
        for run in group.runs
        if run.history and run.history[-1].get("time/seconds") and "time/images" in run.history[-1]
    ]
    parameters = group.runs[0].results.get("parameters")
    on = dict.fromkeys(
        f"{results.get('processes', 1)} x {results.get('device', 'unknown')}, {results.get('precision', 'unknown')}"
        for results in (run.results for run in group.runs)
    )
    return {
        "minutes": f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else "-",
        "rate": f"{sum(rates) / len(rates):,.0f}" if rates else "-",
        "parameters": f"{parameters:,}" if isinstance(parameters, int) else "-",
        "on": "; ".join(on),
        "taught": "; ".join(dict.fromkeys(name_teachers(run.results.get("taught_by")) or "-" for run in group.runs)),
    }


def format_setting(value: Any) -> str:
    """A setting's value; a class by its own name."""
    return "-" if value is None else shorten_target(value) if str(value).startswith("lta.") else str(value)


def escape_markdown(text: str) -> str:
    """For a cell of a Markdown table: neither ends the cell nor becomes HTML."""
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
