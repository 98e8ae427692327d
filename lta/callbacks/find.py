"""Callbacks of a trainer by their class: Lightning documents `trainer.callbacks`, and its class does not declare it."""

from collections.abc import Iterator
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def find_callbacks(trainer: Any, kind: type[Kind]) -> Iterator[Kind]:
    """The trainer's callbacks of one class, in their order."""
    return (callback for callback in trainer.callbacks if isinstance(callback, kind))
