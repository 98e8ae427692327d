"""Texts in CSV files that spreadsheets would compute: a class may have any name."""

from typing import TypeVar

T = TypeVar("T")

STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a formula begins with for one spreadsheet or another."""


def quote_formula(cell: T) -> T | str:
    """The same, or, of a text that would be computed, that text behind an apostrophe. Numbers stay, also written out."""
    if not isinstance(cell, str) or not cell.startswith(STARTS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
