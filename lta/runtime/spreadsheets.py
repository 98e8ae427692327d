"""CSV files, with texts in them that spreadsheets would compute: a class may have any name."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

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


def render_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A file's text, with the keys of the first row as its header; "" where there are no rows."""
    file = io.BytesIO()
    if rows:
        start_table(file.write, list(rows[0]))(rows)
    return file.getvalue().decode()


def start_table(
    write_bytes: Callable[[bytes], Any], columns: Sequence[str]
) -> Callable[[Iterable[Mapping[str, Any]]], None]:
    """Writes the header; what is returned writes rows. Bytes of a name that are no UTF-8 become `\\udcf6`."""

    def write(rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([quote_formula(cell) for cell in row] for row in rows)
        write_bytes(text.getvalue().encode(errors="backslashreplace"))

    write([columns])
    return lambda rows: write([row[column] for column in columns] for row in rows)
