"""Tables for a paper: a file for each data set and form, with columns that are chosen, and names as the report has them."""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lta.report.groups import Group
from lta.report.history import is_number
from lta.report.page import Report
from lta.report.runs import Run
from lta.report.statistics import Summary, summarise_values
from lta.runtime.spreadsheets import render_table

FORMS = {"csv": "csv", "latex": "tex", "md": "md"}
"""How their files end."""

DEFAULT = ("network", "mean", "sd", "interval", "n")

MOST_LISTED = 12


class Column(NamedTuple):
    """`numbers` by name, for CSV; `text`, with ± and - for what is not there, for a page."""

    heading: str
    numbers: Callable[[Group], Mapping[str, Any]]
    text: Callable[[Group], str]


def _summarise(group: Group, key: str) -> Summary | None:
    """Of a metric by the name that it was logged by: `test/...` of the test, else of the last epoch. None unless every run
    has it."""
    found = [_find_metric(run, key) for run in group.runs]
    known = [value for value in found if value is not None]
    return summarise_values(known) if len(known) == len(found) else None


def _find_metric(run: Run, key: str) -> float | None:
    where = {f"test/{name}": value for name, value in run.results["test"].items()} if key.startswith("test/") else {}
    where = where or (run.history[-1] if run.history else {})
    return float(where[key]) if is_number(where.get(key)) else None


def _make_metric_column(key: str) -> Column:
    def list_numbers(group: Group) -> Mapping[str, Any]:
        one = _summarise(group, key)
        return {f"{key} mean": _round(one.mean if one else None), f"{key} sd": _round(one.sd if one else None)}

    def write(group: Group) -> str:
        one = _summarise(group, key)
        return "-" if one is None else f"{one.mean:.4g}" + ("" if one.sd is None else f" ± {one.sd:.2g}")

    return Column(key, list_numbers, write)


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _write_number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _write_interval(one: Summary) -> str:
    return "-" if one.interval is None else f"{max(one.interval[0], 0):.2f} to {min(one.interval[1], 100):.2f}"


def _list_ends(one: Summary) -> Mapping[str, Any]:
    low, high = one.interval or (None, None)
    return {"interval low": _round(low), "interval high": _round(high)}


def _find_parameters(group: Group) -> int | None:
    found = group.runs[0].results.get("parameters")
    return found if isinstance(found, int) else None


def _find_minutes(group: Group) -> float | None:
    seconds = [run.results["seconds"] for run in group.runs if is_number(run.results.get("seconds"))]
    return sum(seconds) / len(seconds) / 60 if seconds else None


def _write_errors(group: Group) -> str:
    return ", ".join(f"{run.error:.2f}" for run in group.runs)


COLUMNS: Mapping[str, Column] = {
    "network": Column("network", lambda group: {"network": group.label}, lambda group: group.label),
    "mean": Column(
        "test error, %",
        lambda group: {"test error mean": _round(group.summary.mean)},
        lambda group: _write_number(group.summary.mean),
    ),
    "sd": Column("sd", lambda group: {"sd": _round(group.summary.sd)}, lambda group: _write_number(group.summary.sd)),
    "interval": Column(
        "95 % interval", lambda group: _list_ends(group.summary), lambda group: _write_interval(group.summary)
    ),
    "n": Column("n", lambda group: {"n": group.summary.n}, lambda group: str(group.summary.n)),
    "errors": Column("each seed", lambda group: {"each seed": _write_errors(group)}, _write_errors),
    "parameters": Column(
        "parameters",
        lambda group: {"parameters": _find_parameters(group)},
        lambda group: "-" if (found := _find_parameters(group)) is None else f"{found:,}",
    ),
    "minutes": Column(
        "minutes",
        lambda group: {"minutes": _round(_find_minutes(group))},
        lambda group: _write_number(_find_minutes(group), 1),
    ),
}
"""`mean`, `sd`, `interval` and `n` are of the test error. Any metric of the runs is a column too."""


def _read_list(option: str, given: str) -> list[str]:
    """The words between commas, each once."""
    words = list(dict.fromkeys(word.strip() for word in given.split(",") if word.strip()))
    if not words:
        raise ValueError(f"{option} needs one or more words, separated by commas")
    return words


def render_paper_tables(made: Report, asked: str, columns: str | None = None) -> dict[str, str]:
    """By file name, `cifar10_table.tex` for instance. `asked`: forms with commas between, and so are `columns`, None for
    DEFAULT. Raises ValueError for a form or a column that there is not."""
    forms, names = _read_list("--tables", asked), DEFAULT if columns is None else _read_list("--columns", columns)
    if unknown := [form for form in forms if form not in FORMS]:
        raise ValueError(f"--tables={unknown[0]} is unknown; choose one or more of {','.join(FORMS)}")
    chosen = [_find_column(name, made.groups) for name in names]
    found = {}
    for data in made.data_sets:
        groups = made.groups_of(data)
        for form in forms:
            name = f"{re.sub('[^a-z0-9]+', '_', data.lower()).strip('_') or 'data'}_table.{FORMS[form]}"
            if name in found:
                raise ValueError(f"--tables: two data sets would be written to {name}; report on one at a time")
            found[name] = RENDERERS[form](data, groups, chosen)
    return found


def _find_column(name: str, groups: Sequence[Group]) -> Column:
    if name in COLUMNS:
        return COLUMNS[name]
    metrics = list(dict.fromkeys(key for group in groups for run in group.runs for key in _list_metrics(run)))
    if name in metrics:
        return _make_metric_column(name)
    near = [key for key in metrics if name.rpartition("/")[2] in key] or metrics
    more = ", ..." if len(near) > MOST_LISTED else ""
    raise ValueError(
        f"--columns={name} is unknown; choose from {','.join(COLUMNS)} and the runs' metrics: "
        f"{','.join(near[:MOST_LISTED])}{more}"
    )


def _list_metrics(run: Run) -> Iterator[str]:
    yield from (f"test/{name}" for name, value in run.results["test"].items() if is_number(value))
    yield from (key for key in (run.history[-1] if run.history else {}) if key != "epoch")


def _render_csv(data: str, groups: Sequence[Group], columns: Sequence[Column]) -> str:
    return render_table(
        [{"data": data, **{k: v for column in columns for k, v in column.numbers(group).items()}} for group in groups]
    )


def _render_markdown(data: str, groups: Sequence[Group], columns: Sequence[Column]) -> str:
    rows = [[column.heading for column in columns], *([column.text(group) for column in columns] for group in groups)]
    lines = [f"| {' | '.join(map(_escape_markdown, row))} |" for row in rows]
    return "\n".join([lines[0], f"|{'|'.join('---' if _is_text(one) else '---:' for one in columns)}|", *lines[1:]]) + "\n"


def _render_latex(data: str, groups: Sequence[Group], columns: Sequence[Column]) -> str:
    """For the packages booktabs and, of names that are not English, an engine that reads UTF-8."""
    sides = "".join("l" if _is_text(column) else "r" for column in columns)
    body = [" & ".join(escape_latex(column.text(group)) for column in columns) for group in groups]
    lines = [
        f"% {data.translate({ord(sign): ' ' for sign in chr(10) + chr(13)})}; needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{sides}}}",
        "\\toprule",
        " & ".join(escape_latex(column.heading) for column in columns) + " \\\\",
        "\\midrule",
        *(f"{row} \\\\" for row in body),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


RENDERERS = {"csv": _render_csv, "latex": _render_latex, "md": _render_markdown}


def _is_text(column: Column) -> bool:
    return column.heading in ("network", "each seed")


LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """On one line, with no sign that LaTeX reads as more than a letter. A `-` alone becomes a dash."""
    shown = "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))
    return "--" if shown == "-" else shown


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
