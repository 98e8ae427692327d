"""Some epochs' attention panels of a run of each group, small enough that the page stays one file to send."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lta.report.groups import Group
from lta.report.runs import Run

EPOCHS = 8
BUDGET = 6_000_000
"""Bytes of pictures on the page, as they stand in it (base64)."""


SHEETS = {"confusion": "Confusion matrix", "surest_mistakes": "Surest mistakes"}
"""Files of evaluator=classification that are shown, by name."""

SHEETS_BUDGET = 4_000_000


class Panel(NamedTuple):
    """`epoch` as the run counts, from 0."""

    epoch: int
    source: str


class Film(NamedTuple):
    """A run's panels by epoch. `left_out`: why there are none of them, or fewer."""

    group: Group
    run: Run
    panels: Sequence[Panel]
    left_out: str


def build_films(groups: Sequence[Group]) -> list[Film]:
    """Of the first run of each group with attention: up to EPOCHS of its panels, evenly over training, with the last."""
    shown = [
        (group, next(run for run in group.runs if run.panels)) for group in groups if any(run.panels for run in group.runs)
    ]
    found, spent = [], 0
    for group, run in shown:
        share = (BUDGET - spent) // max(1, len(shown) - len(found))
        panels: list[Panel] = []
        size = 0
        for path in _choose_panels(run.panels):
            source = _read_data_url(path)
            if source is None:
                continue
            if size + len(source) > share and panels:
                break
            if spent + size + len(source) > BUDGET:
                break
            size += len(source)
            panels.append(Panel(int(path.stem.rpartition("_")[2]), source))
        spent += size
        why = (
            ""
            if len(panels) == len(run.panels)
            else f"{len(panels)} of {len(run.panels)} panels; all lie in {run.path / 'attention'}"
        )
        found.append(Film(group, run, sorted(panels), why))
    return found


class Sheet(NamedTuple):
    """A picture that an evaluator has drawn of a run."""

    group: Group
    run: Run
    title: str
    source: str


def build_sheets(groups: Sequence[Group]) -> list[Sheet]:
    """The confusion matrix and the surest mistakes of the first run of each group that was asked for them, as far as
    SHEETS_BUDGET goes."""
    found, spent = [], 0
    for group in groups:
        run = next((run for run in group.runs if "classification" in run.answers), None)
        for name, title in SHEETS.items() if run is not None else ():
            assert run is not None
            file = run.path / "evaluations" / "classification" / f"{name}.png"
            source = _read_data_url(file) if file.is_file() else None
            if source is not None and spent + len(source) <= SHEETS_BUDGET:
                spent += len(source)
                found.append(Sheet(group, run, title, source))
    return found


def _choose_panels(paths: Sequence[Path]) -> list[Path]:
    """The last first, then the first, then what lies between: what is dropped for its size is dropped from the middle."""
    count = min(EPOCHS, len(paths))
    places = (
        [round(number * (len(paths) - 1) / max(1, count - 1)) for number in range(count)] if count > 1 else [len(paths) - 1]
    )
    chosen = [paths[place] for place in dict.fromkeys(places)]
    return [chosen[-1], *chosen[:-1]]


def _read_data_url(path: Path) -> str | None:
    """As a data URL; None where it is no picture."""
    try:
        raw = path.read_bytes()
        with Image.open(io.BytesIO(raw)) as picture:
            picture.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return f"data:image/png;base64,{base64.b64encode(raw).decode()}"
