"""What a person reads on the screen: lines that a progress bar does not break, durations. Imports no torch."""

import errno
import io
import logging
import os
import sys
from typing import Any


class ConsoleHandler(logging.Handler):
    """Writes messages to standard output, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()  # at once, also where the output is a pipe or a file


class _UnreadOutput(io.FileIO):
    """What nobody reads any more goes nowhere: no run ends because of it."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal that went away
                raise
            return len(content)


def keep_writing() -> None:
    """From here on standard output and error may be closed (`... | head`), or take ASCII only: what they can't show is
    written as an escape sequence. To be called by each command before it prints.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed from the start
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "wb"), encoding="utf-8", write_through=True))
        elif type(stream) is io.TextIOWrapper and type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO:
            stream.flush()
            raw = _UnreadOutput(stream.fileno(), "wb", closefd=False)
            options = {"encoding": stream.encoding, "errors": "backslashreplace", "line_buffering": stream.line_buffering}
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), **options, write_through=stream.write_through))


def format_duration(seconds: float) -> str:
    """For people: 8.3 s, 3 min 20 s, 5 h 10 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    size, name, smaller, smaller_name = next(unit for unit in units if seconds >= unit[0])
    return f"{int(seconds // size)} {name} {int(seconds % size // smaller)} {smaller_name}"
