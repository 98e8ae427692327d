"""Signals that end a program: at once, or, in training, where all its processes can. Imports no torch.

They take the place of Lightning's own handlers, which talk to the other processes inside the handler (a hang where
several of them are signalled together) and end a stopped run with status 0.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

NAMES = {
    getattr(signal, name): "Ctrl-C" if name == "SIGINT" else name
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1")
    if hasattr(signal, name)
}
"""SIGUSR1 is how Slurm announces the end of a job's time (`#SBATCH --signal=USR1@90`)."""

INSISTS = 1.0
"""Seconds: a signal that comes later than this after the first is not the same one, sent to several processes."""

Handler = Callable[[int, FrameType | None], object]


class Stopped(SystemExit):
    """A signal ended the program; `code`, its exit status, is 128 + `number`, as in a shell. `hint` says how to go on."""

    def __init__(self, number: int, hint: str = ""):
        super().__init__(128 + number)
        self.number, self.hint = number, hint

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"stopped by {NAMES[self.number]}", self.hint)))


@contextmanager
def add_hint(hint: Callable[[], str]) -> Iterator[None]:
    """A program stopped inside says what `hint` then gives."""
    try:
        yield
    except Stopped as stopped:
        stopped.hint = hint()
        raise


class Signals:
    """One for each program. `received` is the number of the first signal that asked it to end.

    `deferred` says that the program looks at `received` itself: the first signal then raises nothing, a later one does.
    `tell` is the process id of another process of the same run that is to decide instead of this one, while nobody looks.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False
        self.tell: int | None = None
        self._since = 0.0

    @contextmanager
    def catch(self, tell: int | None = None) -> Iterator[None]:
        """Inside, the signals of NAMES raise Stopped in the main thread. Those that a job manager handles stay its own."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.received, self.deferred, self.tell = None, False, tell
        before = {number: signal.getsignal(number) for number in NAMES}
        own = (signal.SIG_DFL, signal.default_int_handler)
        _install({number: self._handle for number, handler in before.items() if handler in own})
        try:
            yield
        finally:
            _install(before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first = self.received is None
        if first:
            self.received, self._since = number, time.monotonic()
        elif time.monotonic() - self._since <= INSISTS:
            return
        if self.tell is not None:
            if not self.deferred:
                os.kill(self.tell, number)
        elif not (first and self.deferred):
            raise Stopped(number)


def _install(handlers: dict[int, Handler | int | None]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # None: installed by something that is not Python
            signal.signal(number, handler)


signals = Signals()


def requeue() -> None:
    """Asks Slurm to run this job again, and says what came of it."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=60)
        problem = done.stderr.strip() if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem is None:
        log.info("Slurm: job %s is requeued", job)
    else:
        log.warning("Slurm: job %s could not be requeued: %s", job, problem)
