"""`test_predictions.csv` of a run: a row for each test picture, with what the network said of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lta.callbacks.kept_answers import Answers
from lta.data.fingerprint import name_token
from lta.measures.label_sets import HALF, join_labels, list_names
from lta.protocols import Splits
from lta.runtime.files import write_text
from lta.runtime.spreadsheets import render_table
from lta.training.prediction import DIGITS

FILE = "test_predictions.csv"


def write_test_predictions(directory: Path, answers: Answers, data: Splits) -> None:
    """`image` is the position in the test set; `file`, below the data's root, where pictures are files of that name. `class`
    is the true one. `right` is 1 or 0. Of several labels: `labels` are the true ones, `predicted` those that the network
    gives a probability of at least 0.5, with | between them, and each has its probability."""
    names = list(_list_names(data))
    write_text(directory / FILE, render_table(list(_make_rows(answers, names, data.class_names))))


def _list_names(data: Splits) -> Iterator[str]:
    """Of the test pictures; none where they are no files."""
    known = {name_token(name): name for name in getattr(data, "file_names", ())}
    ids = getattr(data.test, "ids", None)
    if known and ids is not None:
        yield from (known.get(token, "") for token in ids[:, 0].tolist())


def _make_rows(answers: Answers, names: Sequence[str], class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    if answers.labels.ndim == 2:
        yield from _make_label_rows(answers, names, class_names)
        return
    for place, label, classes, shares in zip(*(part.tolist() for part in answers), strict=True):
        row: dict[str, Any] = {"image": place, **({"file": names[place]} if names else {}), "class": class_names[label]}
        for rank, (found, share) in enumerate(zip(classes, shares, strict=True), 1):
            end = "" if rank == 1 else f"_{rank}"
            row |= {f"label{end}": class_names[found], f"probability{end}": round(share, DIGITS)}
            if rank == 1:
                row["right"] = int(found == label)
        yield row


def _make_label_rows(answers: Answers, names: Sequence[str], class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    by_class = np.take_along_axis(answers.probabilities, answers.classes.argsort(1), 1)
    for place, true, shares in zip(answers.places.tolist(), answers.labels, by_class, strict=True):
        said = shares >= HALF
        yield {
            "image": place,
            **({"file": names[place]} if names else {}),
            "labels": join_labels(list_names(true, class_names)),
            "predicted": join_labels(list_names(said, class_names)),
            "right": int((said == (true == 1)).all()),
            **{f"p({name})": round(share, DIGITS) for name, share in zip(class_names, shares.tolist(), strict=True)},
        }
