"""labels.csv: several labels for each picture of a folder, or none."""

import csv
import logging
import os
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from lta.data.errors import DataError
from lta.data.listing import Listing, find_pictures

log = logging.getLogger(__name__)

FILE, NAMES = "file", "labels"
SEPARATOR = "|"
OTHERS = "|;,"
"""What separates names in other people's tables: a name with one of these in it is taken for several."""


class LabelTable(NamedTuple):
    """`rows`: of each file, below the root and with `/`, the number of its row, from 1 for the header."""

    path: Path
    class_names: tuple[str, ...]
    labels: UInt8[np.ndarray, "files classes"]
    rows: dict[str, int]


def check_separator(separator: Any, labels: str | None) -> None:
    """Raises ValueError where it separates nothing, or nothing is there to separate."""
    if not isinstance(separator, str) or not separator or any(sign in separator for sign in '\r\n"'):
        raise ValueError(f"data.label_separator={separator!r} must be one or more characters between names, such as |")
    if labels is None and separator != SEPARATOR:
        raise ValueError(f"data.label_separator={separator} is not used without data.labels=labels.csv")


def read_label_table(path: Path, separator: str = SEPARATOR) -> LabelTable:
    """A CSV file in UTF-8 whose first column is `file`. Then comes either one column `labels`, of names between `separator`
    (none where it is empty), or one column for each class, of 0 and 1. Names are sorted, columns keep their order.

    Raises DataError, which names the row, for anything else.
    """
    (_, header), *rows = _read_rows(path)
    columns = [cell.strip() for cell in header]
    if columns[:1] != [FILE] or len(columns) < 2:
        shown = ", ".join(columns) or "nothing"
        raise DataError(
            f"{path}: row 1 must be file,labels or file and a column for each class (comma-separated), but is {shown}"
        )
    cells: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for number, row in rows:
        if len(row) != len(columns):
            raise DataError(f"{path}: row {number} has {len(row)} cells, but row 1 has {len(columns)}")
        file = _normalise(row[0].strip())
        if not file:
            raise DataError(f"{path}: row {number} names no file")
        if file in numbers:
            raise DataError(f"{path}: row {number} names {file} again, after row {numbers[file]}")
        numbers[file], cells[file] = number, [cell.strip() for cell in row[1:]]
    if not cells:
        raise DataError(f"{path} has no rows below its first one")
    if columns[1:] == [NAMES]:
        return _read_names(path, {file: one[0] for file, one in cells.items()}, numbers, separator)
    return _read_columns(path, columns[1:], cells, numbers, separator)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Those that hold something, with their number, and at least one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = [(number, row) for number, row in enumerate(csv.reader(file, strict=True), 1) if any(row)]
    except FileNotFoundError as error:
        raise DataError(f"data.labels: there is no {path}; a relative path begins at data.root") from error
    except OSError as error:
        raise DataError(f"data.labels: {path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} can't be read as CSV in UTF-8: {error}") from error
    if not found:
        raise DataError(f"{path} is empty")
    return found


def _read_names(path: Path, cells: dict[str, str], rows: dict[str, int], separator: str) -> LabelTable:
    sets: list[list[str]] = []
    for file, cell in cells.items():
        names = [name.strip() for name in cell.split(separator)] if cell else []
        where = f"{path}: row {rows[file]}"
        if not all(names):
            raise DataError(f"{where} has an empty name in {cell!r}")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"{where} names {twice} twice")
        if odd := next((name for name in names for sign in OTHERS if sign in name), None):
            sign = next(sign for sign in OTHERS if sign in odd)
            raise DataError(f"{where}: a label can't have {sign!r} in it ({odd}); give data.label_separator={sign!r}?")
        sets.append(names)
    class_names = sorted({name for names in sets for name in names})
    _check_classes(path, class_names, "its column labels names")
    number = {name: k for k, name in enumerate(class_names)}
    labels = np.zeros((len(sets), len(class_names)), np.uint8)
    for row, names in zip(labels, sets, strict=True):
        row[[number[name] for name in names]] = 1
    return LabelTable(path, tuple(class_names), labels, rows)


def _read_columns(
    path: Path, names: Sequence[str], cells: dict[str, list[str]], rows: dict[str, int], separator: str
) -> LabelTable:
    if not all(names):
        raise DataError(f"{path}: row 1 has a column without a name")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path}: row 1 has two columns {twice}")
    if odd := next((name for name in names if SEPARATOR in name or separator in name), None):
        sign = SEPARATOR if SEPARATOR in odd else separator
        raise DataError(f"{path}: row 1: the name of a class can't have {sign!r} in it ({odd})")
    if NAMES in names:
        raise DataError(f"{path}: row 1 has a column labels and others: give either labels alone, or one column per class")
    _check_classes(path, names, "it has columns of")
    for file, values in cells.items():
        for name, value in zip(names, values, strict=True):
            if value not in ("0", "1"):
                raise DataError(f"{path}: row {rows[file]} has {value!r} for {name}, which must be 0 or 1")
    labels = np.array([[value == "1" for value in values] for values in cells.values()], np.uint8)
    if lost := [name for name, there in zip(names, labels.max(0).tolist(), strict=True) if not there]:
        raise DataError(f"{path}: no picture has {', '.join(lost)}; take the column out")
    return LabelTable(path, tuple(names), labels, rows)


def _check_classes(path: Path, names: Sequence[str], found: str) -> None:
    if len(names) < 2:
        raise DataError(
            f"{path}: {found} {', '.join(names) or 'no class'}, but at least two classes are needed (for one that is "
            "there or not, use a folder for each of the two, without data.labels)"
        )


class LabelledFolder:
    """The pictures of `root` that `table` labels, in any sub-folders. `left_out`: a folder there whose pictures are none.

    Raises DataError where a row names no picture; pictures without a row are left out, which is said.
    """

    def __init__(self, root: Path, table: LabelTable, left_out: Path | None = None):
        self.table = table
        found, _ = find_pictures(root, "")
        without = f"{left_out}{os.sep}"
        names = {_normalise(name): name for name in found if left_out is None or not f"{root / name}".startswith(without)}
        unknown = [file for file in table.rows if file not in names]
        if unknown:
            more = f" (and {len(unknown) - 1} more rows)" if len(unknown) > 1 else ""
            raise DataError(
                f"{table.path}: row {table.rows[unknown[0]]} names {unknown[0]}, but there is no such picture below "
                f"{root}{more}{_find_reason(unknown[0], root, names)}"
            )
        others = sorted(name for file, name in names.items() if file not in table.rows)
        if others:
            some = f"{len(others)} picture{'s' * (len(others) > 1)}"
            first = others[0] + ", ..." * (len(others) > 1)
            log.warning("%s: %s without a row in %s (%s) left out", root, some, table.path.name, first)
        self._listed = sorted((names[file], number) for number, file in enumerate(table.rows))

    def list_folders(self) -> list[str]:
        """Those just below the root that hold pictures, and "" where some lie in the root itself."""
        return sorted({name.split(os.sep)[0] if os.sep in name else "" for name, _ in self._listed})

    def list_images(self, part: str = "") -> Listing:
        """Those of a folder just below the root; of all without one."""
        listed = [(name, number) for name, number in self._listed if not part or name.startswith(part + os.sep)]
        numbers = [number for _, number in listed]
        return Listing(self.table.class_names, [name for name, _ in listed], self.table.labels[numbers])


def _find_reason(file: str, root: Path, names: Collection[str]) -> str:
    """What the row may have meant, by the way that other programs write names; "" where that is no picture either."""
    if (sent := _normalise(file.replace("\\", "/"))) in names:
        return f"; write / between folders: {sent}"
    if (below := file.removeprefix(f"{_normalise(str(root))}/")) in names:
        return f"; paths begin at the folder: {below}"
    if (other := next((name for name in names if name.casefold() == file.casefold()), None)) is not None:
        return f"; letters differ in case: {other}"
    inside = [name for name in names if name.endswith(f"/{file}")]
    return f"; paths begin at the folder: {inside[0]}" if inside else ""


def _normalise(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace(os.sep, "/"))
