"""The processes of a sweep: so many at a time, their signals, and why one failed. Imports no torch.

Lightning starts the further processes of a DDP run by the command line that it finds in `sys.argv`; within a sweep that
would be the whole sweep again. So every job is a single run, and nothing of one reaches the next.
"""

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from lta.runtime.provenance import code_version
from lta.runtime.signals import INSISTS, NAMES, Stopped
from lta.sweep.resources import Slot, job_environment, pin_to_cores

GRACE = 20.0
"""Seconds a job has to end after a signal before it is killed."""

POLL = 0.05
"""Seconds between two looks at the running jobs."""

TAIL = 65536
"""Bytes at the end of a console.log in which the reason of a failure is looked for."""


@dataclass
class Job:
    """One run of a sweep; `status` is waiting, running, done, failed, stopped, skipped (it was done before) or elsewhere
    (another process runs it: of an earlier sweep that was killed, or on another machine)."""

    name: str
    directory: Path
    command: Sequence[str] = ()
    varying: Mapping[str, str] = field(default_factory=dict)  # what the other jobs have differently
    config: Mapping[str, Any] | None = None  # resolved; None where that is impossible
    version: str = field(default_factory=code_version)  # of the code that would run now
    processes: int = 1
    status: str = "waiting"
    ended: str = ""  # how, where it failed: "status 1", "SIGKILL", "refused"
    why: str = ""
    seconds: float = 0.0

    @property
    def log(self) -> Path:
        return self.directory / "console.log"

    def refuse(self, why: str) -> None:
        """Counts the job as failed without starting it."""
        self.status, self.ended, self.why = "failed", "refused", why


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen
    said_from: int  # where in the log this start begins
    since: float = field(default_factory=time.monotonic)

    def send(self, number: int) -> None:
        """To every process of the job: it is a process group of its own."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def run_jobs(
    jobs: Sequence[Job],
    slots: Sequence[Slot],
    environment: Mapping[str, str],
    complete: Callable[[Job], bool] = lambda job: True,
    changed: Callable[[Job], None] = lambda job: None,
) -> None:
    """Runs those that are waiting, one in each slot, in their order. One that fails stops no other.

    A job is done if it ends with status 0 and is then `complete`. `changed` is called at each start and end. The signals
    of `lta.runtime.signals` reach every process of every running job; raises Stopped when all have ended, those that did not
    within 20 s (or until the signal is repeated) having been killed. Nothing is left running, whatever happens here.
    """
    waiting = [job for job in jobs if job.status == "waiting"]
    running: dict[int, _Running] = {}
    killed_at = None
    with _record_signals() as received:
        try:
            while running or (waiting and not received):
                for i, slot in enumerate(slots):
                    if waiting and i not in running and not received:
                        running[i] = _start(waiting.pop(0), slot, environment)
                        changed(running[i].job)
                if received and killed_at is None:
                    killed_at = time.monotonic() + GRACE
                    # Slurm's announcement is for this process, which asks once for the job to be run again.
                    passed_on = signal.SIGTERM if received[0][0] == signal.SIGUSR1 else received[0][0]
                    for one in running.values():
                        one.send(passed_on)
                elif (
                    received
                    and killed_at is not None
                    and (time.monotonic() >= killed_at or received[-1][1] - received[0][1] > INSISTS)
                ):
                    for one in running.values():
                        one.send(signal.SIGKILL)
                for i, one in list(running.items()):
                    if one.process.poll() is not None:
                        _end(one, complete, stopped=bool(received))
                        del running[i]
                        changed(one.job)
                time.sleep(POLL)
        finally:
            for one in running.values():  # after something unforeseen
                one.send(signal.SIGKILL)
                one.process.wait()
    if received:
        done = sum(job.status in ("done", "skipped") for job in jobs)
        raise Stopped(received[0][0], f"{done} of {len(jobs)} jobs done; repeat the command to continue")


@contextmanager
def _record_signals() -> Iterator[list[tuple[int, float]]]:
    """Inside, signals only leave their number and time; those that the system or the user has told us to ignore don't."""
    received: list[tuple[int, float]] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: FrameType | None) -> None:
        received.append((number, time.monotonic()))

    before = {number: signal.getsignal(number) for number in NAMES}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _start(job: Job, slot: Slot, environment: Mapping[str, str]) -> _Running:
    job.directory.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log, pin_to_cores(slot.cores):
        log.write(f"$ {shlex.join(job.command)}\n".encode())
        log.flush()
        said_from = log.tell()  # the process moves it on
        process = subprocess.Popen(
            job.command,
            env=job_environment(environment, slot, job.processes),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        job.status = "running"
        return _Running(job, process, said_from)


def _end(one: _Running, complete: Callable[[Job], bool], stopped: bool) -> None:
    one.send(signal.SIGKILL)  # processes that outlived the first
    job, status = one.job, one.process.returncode
    job.seconds = time.monotonic() - one.since
    if status == 0 and complete(job):
        job.status = "done"
        return
    job.status = "stopped" if stopped else "failed"
    job.ended = signal.Signals(-status).name if status < 0 else f"status {status}"
    job.why = find_reason(_read_tail(job.log, one.said_from)) or "it said nothing"
    if status == 0:
        job.why = f"it ended without results; its last line: {job.why}"


def _read_tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - TAIL))
        return file.read().decode(errors="replace")


def find_reason(said: str) -> str:
    """The line of a console's output that says why a program ended: its last error, else its last line."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    ours = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    pythons = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)(:|$)", line)]
    return (ours or pythons or lines or [""])[-1]
