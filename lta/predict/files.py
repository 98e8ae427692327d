"""What lta.predict writes: tables of answers, a list of what was left out, and where pictures of attention go."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lta import checks
from lta.measures.label_sets import BETWEEN
from lta.pictures.drawn import OVERLAYS, SHEET
from lta.pictures.find import Found, name_out
from lta.runtime.console import format_duration
from lta.runtime.files import replace_file, write_text
from lta.runtime.spreadsheets import render_table, start_table
from lta.training.prediction import Columns, LeftOut, list_columns

FORMATS = ("csv", "jsonl")
SKIPPED = "skipped.csv"
LISTED = 12
"""Classes that are counted on the screen."""


def check_formats(asked: Any) -> list[str]:
    """Raises ValueError for another format than those of `FORMATS`, and for none."""
    formats = [asked] if isinstance(asked, str) else list(asked or [])
    for name in formats or [asked]:
        checks.require_choice("format", name, FORMATS)
    return formats


def leave_out_own(found: Sequence[Found], out: Path) -> list[Found]:
    """Without what an earlier prediction has drawn into `out`, where that lies below the pictures' folder."""
    overlays, sheet = (os.path.realpath(out / name) for name in (OVERLAYS, SHEET))
    kept = [one for one in found if not (real := os.path.realpath(one.path)).startswith(overlays + os.sep) and real != sheet]
    if not kept:
        raise ValueError(f"out={out} holds only what lta.predict has drawn; give images=FOLDER, with your pictures")
    return kept


def name_overlays(out: Path, found: Sequence[Found]) -> list[Path]:
    """`out/overlays/SUBFOLDERS/NAME_attention.jpg` for each picture, no two alike."""
    folders = [os.path.relpath(one.path.parent, one.place) for one in found]
    names: dict[int, Path] = {}
    for folder in dict.fromkeys(folder.casefold() for folder in folders):
        places = [place for place, other in enumerate(folders) if other.casefold() == folder]
        below = Path(os.path.normpath(out / OVERLAYS / folders[places[0]]))
        named = name_out(below, [found[place].path for place in places], "attention", ".jpg")
        names |= dict(zip(places, named, strict=True))
    return [names[place] for place in range(len(found))]


class Tables:
    """`predictions.csv` and `predictions.jsonl` in `out`, written row by row, whole or not at all.

    `answers` counts what they say, of `answered` pictures; `left_out` go to `skipped.csv`.
    """

    def __init__(self, out: Path, formats: Sequence[str], columns: Columns):
        self.out, self.columns = out, columns
        self.paths = {name: out / f"predictions.{name}" for name in formats}
        self.answers: Counter[str] = Counter()
        self.answered = 0
        self.left_out: list[LeftOut] = []

    def require_absent(self, overwrite: Any) -> None:
        """Raises ValueError where results are there that may not be replaced."""
        others = (self.out / name for name in (SKIPPED, SHEET, OVERLAYS))
        checks.require_absent([*self.paths.values(), *others], overwrite, "out=FOLDER")

    @contextmanager
    def open(self, class_names: Sequence[str]) -> Iterator[None]:
        """Inside, rows can be written. Raises ValueError where a file can't be, and at the end where no row was written."""
        try:
            with ExitStack() as stack:
                files = {name: stack.enter_context(replace_file(path)) for name, path in self.paths.items()}
                self._write = [self._start(name, file, class_names) for name, file in files.items()]
                yield
                self._write_left_out()
                if not self.answers:
                    raise ValueError(f"no picture could be used: {self.left_out[0].reason}")
        except OSError as error:
            raise ValueError(f"out={self.out} can't be written: {error.strerror or error}") from error

    def _start(self, name: str, file: BinaryIO, class_names: Sequence[str]) -> Any:
        if name == "csv":
            return start_table(file.write, list_columns(class_names, self.columns))
        return lambda rows: file.write("".join(json.dumps(row) + "\n" for row in rows).encode())

    def write(self, rows: Sequence[Mapping[str, Any]], left_out: Sequence[LeftOut]) -> None:
        """Adds rows to each table, and counts the answers."""
        for write in self._write:
            write(rows)
        self.answered += len(rows)
        for row in rows:
            said = row["labels"].split(BETWEEN) if "labels" in row else [row.get("answer", row["label"])]
            self.answers.update(name or "no label" for name in said)
        self.left_out += left_out

    def _write_left_out(self) -> None:
        """What an earlier prediction has left there is gone."""
        path = self.out / SKIPPED
        with suppress(FileNotFoundError):
            path.unlink()
        if self.left_out:
            rows = [{"file": one.name, "reason": one.reason.removeprefix(one.name).lstrip(": ")} for one in self.left_out]
            write_text(path, render_table(rows))

    def describe(self, seconds: float) -> Iterator[str]:
        """Lines for the screen."""
        count = self.answered
        speed = f"{format_duration(seconds)}, {count / seconds:.0f} images/s"
        yield f"{count:,} picture{'s' * (count > 1)} ({speed})"
        listed = ", ".join(f"{answer} {number:,}" for answer, number in self.answers.most_common(LISTED))
        more = len(self.answers) - LISTED
        yield f"  {listed}" + (f" and {more} more classes" if more > 0 else "")
        yield from (f"  {path}" for path in self.paths.values())

    def check_complete(self) -> None:
        """Raises ValueError where pictures were left out, so that the command's exit status says it."""
        if count := len(self.left_out):
            total = count + self.answered
            raise ValueError(
                f"{count:,} of {total:,} pictures were left out: {self.out / SKIPPED} says why; the others are answered"
            )
