"""The figures that others printed, with their sources and how far each can be trusted."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lta.report.names import Names
from lta.runtime.plain_yaml import Loader

FILE = Path(__file__).parent / "published.yaml"
TRUST = {
    "recorded": "the authors' own record in their repository",
    "quoted": "printed by somebody who cites the paper",
    "recalled": "unchecked: from memory, so no verdict rests on it",
}
GATES = ("recorded", "quoted")
"""What a verdict may rest on, the better first."""


class Figure(NamedTuple):
    """Test error in percent. `source`: where it stands."""

    error: float
    trust: str
    source: str

    def __str__(self) -> str:
        return f"{self.error:.2f}" + {"recalled": " (unchecked)", "quoted": " (quoted)"}.get(self.trust, "")


class Published(NamedTuple):
    """Of one network on one data set: `read_paper` what is said to stand in the paper, `recorded` by the authors,
    `others`."""

    paper: Sequence[Figure]
    recorded: Sequence[Figure]
    others: Sequence[Figure]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.paper or self.recorded or self.others)

    @property
    def gates(self) -> list[Figure]:
        """The figures that ours is judged by, the most trusted first."""
        return [figure for trust in GATES for figure in (*self.recorded, *self.paper) if figure.trust == trust]


@cache
def _read() -> Mapping[str, Any]:
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader)


def read_paper() -> Mapping[str, str]:
    """The paper: title, authors and where it is, as `published.yaml` has it."""
    return _read()["paper"]


def list_rows() -> list[Names]:
    """Every network and data set that has a figure, in the file's order."""
    return list(dict.fromkeys(_names(one) for part in ("figures", "others") for one in _read()[part]))


def find_published(names: Names) -> Published:
    """All published figures of a network on a data set: the paper's, those that the authors recorded, and others'."""
    figures = [
        Figure(float(one["error"]), one["trust"], one.get("source", "no source"))
        for one in _read()["figures"]
        if _is_of(one, names)
    ]
    others = [
        Figure(float(one["error"]), "others", f"{one['repository']}: {one['note']}")
        for one in _read()["others"]
        if _is_of(one, names)
    ]
    return Published(
        [one for one in figures if one.trust != "recorded"], [one for one in figures if one.trust == "recorded"], others
    )


def _is_of(one: Mapping[str, Any], names: Names) -> bool:
    """A figure that names no compatibility function and head is of the usual ones, where the network has them."""
    usual = Names(
        one["model"], names.compat and one.get("compat", "pc"), names.head and one.get("head", "concat"), one["data"]
    )
    return names in (usual, _names(one))


def _names(one: Mapping[str, Any]) -> Names:
    return Names(one["model"], one.get("compat"), one.get("head"), one["data"])
