"""Files read and written whole or not at all."""

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4


def read_json(path: Path) -> Any:
    """Raises ValueError in one line where the file holds no JSON."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} can't be read: {error}") from error


def write_json(path: Path, content: Any) -> None:
    """What is no finite number is written as null: JSON has no NaN."""
    write_text(path, json.dumps(_replace_infinite(content), indent=1, allow_nan=False) + "\n")


def _replace_infinite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _replace_infinite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_replace_infinite(value) for value in content]
    return content


def write_text(path: Path, text: str) -> None:
    """Whole or not at all; for a file that one process writes. Bytes of a name that are no UTF-8 become `\\udcf6`."""
    with replace_file(path, one_writer=True) as file:
        file.write(text.encode(errors="backslashreplace"))


@contextmanager
def replace_file(path: Path, one_writer: bool = False, keep: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block ends well; else nothing is left of it.

    What was there is kept as `keep`, where that is given. Several processes may write the same path at once: the last one's
    is kept, never a mixture. Of `one_writer` a part that a kill has left is written over by the next. Makes the folder;
    raises OSError where it can't be written.
    """
    part = path.with_name(f"{path.name}.part") if one_writer else _name_part(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb" if one_writer else "xb") as file:
            if not one_writer:
                with suppress(OSError):  # not every file system has locks
                    fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: this is no leftover (`remove_leftovers`)
            yield file
            _sync(file)
        if keep is not None and path.exists():
            path.replace(keep)
        part.replace(path)
    except OSError as error:  # the system names no file where it can't write into an open one
        error.filename = error.filename or str(path)
        raise
    finally:
        _remove([part])


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """All of them, when all are on the disk; where that fails, which raises OSError, what was there is untouched."""
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            part = _name_part(path)
            parts[part] = path
            with part.open("xb") as file:
                file.write(content)
                _sync(file)
        for part, path in parts.items():
            part.replace(path)
    finally:
        _remove(parts)


def _name_part(path: Path) -> Path:
    """Of no other process."""
    return path.with_name(f".{path.name}.{uuid4().hex}.part")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _remove(parts: Iterable[Path]) -> None:
    for part in parts:
        with suppress(OSError):
            part.unlink()
