"""What leaves the report: files whole or not at all, and lines that are one line on any terminal."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from lta.runtime.files import replace_files


def check_place(folder: Path, names: Iterable[str]) -> None:
    """Raises ValueError where files of these names are there that are no report's: a report's have its `report.json` beside
    them, and may be replaced."""
    there = [name for name in names if (folder / name).exists()]
    if there and not _holds_report(folder / "report.json"):
        raise ValueError(
            f"{folder / there[0]} already exists, without a report's report.json next to it: "
            "move it away or choose another --out"
        )


def _holds_report(file: Path) -> bool:
    try:
        return {"title", "command", "configurations"} <= set(json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return False


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Each of `contents` under its name, in place of what was there, when all of them are on the disk.

    Raises ValueError, with what was there untouched, where that fails.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out={folder} is a file; give a folder")
        folder.mkdir(parents=True, exist_ok=True)
        encoded: dict[Path, bytes] = {}
        for name, content in contents.items():
            file = Path(os.path.realpath(folder / name))  # a link stays one
            if file.is_dir():
                raise ValueError(f"{folder / name} is a folder: the report's file can't take its place")
            encoded[file] = content if isinstance(content, bytes) else escape_surrogates(content).encode()
        replace_files(encoded)
    except OSError as error:
        raise ValueError(f"the report can't be written to --out={folder}: {error.strerror}") from error
    return [folder / name for name in contents]


@runtime_checkable
class Stream(Protocol):
    """What `print` writes to: sys.stdout, or what stands in for it."""

    def write(self, text: str, /) -> object: ...


def say(line: str, to: Stream) -> None:
    """Prints what came from files that anybody may have written: none of it steers the terminal or begins a line."""
    shown = "".join(letter if letter.isprintable() else _escape_letter(letter) for letter in line)
    encoding = getattr(to, "encoding", None) or "utf-8"
    print(shown.encode(encoding, "backslashreplace").decode(encoding), file=to)


def escape_surrogates(text: str) -> str:
    r"""Bytes of a path that are no UTF-8, which Python keeps as surrogates, as \xff."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda found: _escape_letter(found[0]), text)
    return text


def _escape_letter(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else letter.encode("unicode_escape").decode()
