"""`test_predictions.csv` of a run: a row for each test picture, with what the network said of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lta.callbacks.kept_answers import Answers
from lta.data.fingerprint import name_token
from lta.protocols import Splits
from lta.runtime.files import write_text
from lta.runtime.spreadsheets import render_table
from lta.training.prediction import DIGITS

FILE = "test_predictions.csv"


def write_test_predictions(directory: Path, answers: Answers, data: Splits) -> None:
    """`image` is the position in the test set; `file`, below the data's root, where pictures are files of that name. `class`
    is the true one. `right` is 1 or 0."""
    names = list(_list_names(data))
    write_text(directory / FILE, render_table(list(_make_rows(answers, names, data.class_names))))


def _list_names(data: Splits) -> Iterator[str]:
    """Of the test pictures; none where they are no files."""
    known = {name_token(name): name for name in getattr(data, "file_names", ())}
    ids = getattr(data.test, "ids", None)
    if known and ids is not None:
        yield from (known.get(token, "") for token in ids[:, 0].tolist())


def _make_rows(answers: Answers, names: Sequence[str], class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for place, label, classes, shares in zip(*(part.tolist() for part in answers), strict=True):
        row: dict[str, Any] = {"image": place, **({"file": names[place]} if names else {}), "class": class_names[label]}
        for rank, (found, share) in enumerate(zip(classes, shares, strict=True), 1):
            end = "" if rank == 1 else f"_{rank}"
            row |= {f"label{end}": class_names[found], f"probability{end}": round(share, DIGITS)}
            if rank == 1:
                row["right"] = int(found == label)
        yield row
