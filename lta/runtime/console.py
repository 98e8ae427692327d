"""What a person reads on the screen: lines that a progress bar does not break, durations. Imports no torch."""

import logging
import os
import sys


class ConsoleHandler(logging.Handler):
    """Writes messages to standard output, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stdout)


def print_to_reader(text: str) -> None:
    """`... --help | head` reads a part of it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more when it ends


def format_duration(seconds: float) -> str:
    """For people: 8.3 s, 3 min 20 s, 5 h 10 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    size, name, smaller, smaller_name = next(unit for unit in units if seconds >= unit[0])
    return f"{int(seconds // size)} {name} {int(seconds % size // smaller)} {smaller_name}"
