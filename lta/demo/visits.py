"""What is kept for each open page, for how long, and how many of them."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from lta.apply.sources import Attended
from lta.demo.course import Course
from lta.inference.windows import Seen
from lta.pictures.read import Picture

MOST = 16
"""Pages: of more, the one that was used least recently is forgotten."""

IDLE = 3600.0
"""Seconds after which an unused page is forgotten."""

PATIENCE = 10.0
"""Seconds that the end waits for what is being computed."""


class Given(NamedTuple):
    """A picture from a visitor: its file's `content`, what is shown of it, the whole's `size` (width, height), and what each
    network has `seen` in it."""

    name: str
    content: bytes
    preview: Picture
    size: tuple[int, int]
    seen: tuple[Seen, ...]


class Drawn(NamedTuple):
    """A map that no network of the page has made: `values` from 0 to 1 of all of the picture, how far borders move where
    nothing else is asked for (`edges`), and what is to be said of it."""

    values: Float[Tensor, "rows columns"]
    edges: float
    said: tuple[str, ...]


@dataclass
class Visit:
    """`drawn`: a mask of `given` from a file; `segments`: by class, where it was looked for. `swapped`: what each network
    sees in `given` with the query of `other`, None where that changes nothing. `masks` by network: the last one, with what
    it was made from. `course`: what is taught on it. Whoever reads or writes several of them holds `lock`."""

    given: Given | None = None
    other: Given | None = None
    swapped: tuple[Seen | None, ...] = ()
    drawn: Drawn | None = None
    segments: dict[str, Drawn] = field(default_factory=dict)
    masks: dict[int, tuple[Any, Attended]] = field(default_factory=dict)
    lock: Any = field(default_factory=Lock)
    course: Course | None = None
    used: float = field(default_factory=time.monotonic)
    _folders: dict[int, Path] = field(default_factory=dict)
    _left: bool = False

    def give(self, given: Given) -> None:
        """Another picture: nothing that was made of the one before counts."""
        self.given, self.drawn, self.segments, self.swapped = given, None, {}, ()

    def keep(self, number: int, folder: Path) -> None:
        """The folder of the last file made of one network's result; the one before is removed."""
        before, self._folders[number] = self._folders.get(number), folder
        for old in [before] if not self._left else [before, folder]:
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)

    def leave(self) -> None:
        """Removes the files that were made for this page."""
        self._left = True
        for folder in list(self._folders.values()):
            shutil.rmtree(folder, ignore_errors=True)


class Visits:
    """By the key that Gradio gives each open page; safe between threads. As a context, it waits at its end for what is being
    computed, at most `PATIENCE` seconds."""

    def __init__(self, most: int = MOST, idle: float = IDLE):
        self.most, self.idle = most, idle
        self._visits: dict[str, Visit] = {}
        self._lock = Lock()

    def get_visit(self, key: str) -> Visit:
        """A new one where there is none (any more)."""
        with self._lock:
            visit = self._visits.pop(key, None) or Visit()
            visit.used = time.monotonic()
            self._visits[key] = visit  # last in the order of use
            leaving = [self._visits.pop(oldest) for oldest in list(self._visits)[: -self.most]]
        for old in leaving:
            old.leave()
        return visit

    def forget(self, key: str | None) -> None:
        with self._lock:
            visit = self._visits.pop(key, None) if key is not None else None
        if visit is not None:
            visit.leave()

    def forget_idle(self) -> None:
        """Forgets pages that nobody has used for `idle` seconds."""
        before = time.monotonic() - self.idle
        with self._lock:
            idle = [key for key, visit in self._visits.items() if visit.used < before]
        for key in idle:
            self.forget(key)

    def __enter__(self) -> "Visits":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait_until_idle(PATIENCE)

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until nothing is computed for any page, at most so long. Gives whether that came. It is for the end, when
        nobody asks any more: a thread that computes while Python ends is cut off within PyTorch, which aborts it."""
        until = time.monotonic() + seconds
        with self._lock:
            visits = list(self._visits.values())
        for visit in visits:
            if not visit.lock.acquire(timeout=max(until - time.monotonic(), 0)):
                return False
            visit.lock.release()
        return True

    def __len__(self) -> int:
        return len(self._visits)
