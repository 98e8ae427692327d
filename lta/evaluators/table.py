"""Estimates and columns, as text and as rows: what the evaluators' tables are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Estimate = Mapping[str, Any]
"""`value`, `interval` (its two ends) and `n`."""

Form = str | Callable[[Any], str]
"""How a number is written: a format like ".1f", or a function."""


def format_number(value: Any, form: Form) -> str:
    """By a format such as `.1f`, or by a function."""
    return f"{value:{form}}" if isinstance(form, str) else form(value)


def format_interval(estimate: Estimate, form: Form, to: str = " to ") -> str:
    """`(0.1 to 0.3)`."""
    low, high = (format_number(end, form) for end in estimate["interval"])
    return f"({low}{to}{high})"


def format_estimate(estimate: Estimate, form: Form, to: str = " to ", unit: str = "") -> str:
    """`0.2 (0.1 to 0.3)`; a `unit` stands behind the value."""
    return f"{format_number(estimate['value'], form)}{unit} {format_interval(estimate, form, to)}"


def flatten_estimate(
    estimate: Estimate | None, value: str = "value", low: str = "low", high: str = "high"
) -> dict[str, Any]:
    """The three numbers under these names, for a row; None each where there is no estimate."""
    if estimate is None:
        return {value: None, low: None, high: None}
    return {value: estimate["value"], low: estimate["interval"][0], high: estimate["interval"][1]}


def align_columns(rows: Iterable[Sequence[str]], between: str = "   ", indent: str = "  ") -> list[str]:
    """A line a row; each column as wide as its longest cell, cells to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent + between.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
