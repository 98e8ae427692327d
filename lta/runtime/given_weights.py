"""The file of a backbone's weights that the running command was given, for networks whose checkpoints leave them out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_given: list[Path | None] = []


@contextmanager
def use_weights(path: str | Path | None) -> Iterator[None]:
    """Inside, `given_weights` is this file; None: none is given. Raises ValueError where there is no such file."""
    if path is not None and not Path(path).expanduser().is_file():
        raise ValueError(f"weights={path}: there is no such file")
    before = _given[:]
    _given[:] = [None if path is None else Path(path).expanduser()]
    try:
        yield
    finally:
        _given[:] = before


def given_weights() -> Path | None:
    """The file that this command's `weights=` names."""
    return _given[0] if _given else None
