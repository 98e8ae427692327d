"""What a stage is, and how it can end."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gpu_stages.settings import Settings


class Stage(NamedTuple):
    """One measurement or training of the day.

    `run` gets the settings and the seconds that it may take, and returns what it found, as JSON-ready data; or it raises
    `Absent` or `Unfinished`. `seconds` is what it is expected to take; stages of the same `kind` that have been seen correct
    it. One with a `least` can be ended and gone on with: it begins where that many seconds are left.
    """

    name: str
    title: str
    seconds: float
    kind: str
    run: Callable[[Settings, float], dict[str, Any]]
    least: float | None = None


class Absent(Exception):
    """What a stage needs is not on this machine: data, a library. It is asked again in the next call."""


class Unfinished(Exception):
    """The time was over; the next call goes on. `found`: so far; `seconds`: what is left, None where nobody knows."""

    def __init__(self, found: dict[str, Any], seconds: float | None):
        super().__init__("the time was over")
        self.found, self.seconds = found, seconds
