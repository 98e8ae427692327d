"""Starts `python -m lta...` as a process of its own, without the 8 seconds in which each imports the same libraries.

What such a process can't show is started with `subprocess`: what a command imports, and from where.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from forked import AT_START, SISTER, is_same_start

HERE = Path(__file__).resolve().parent


class Preloaded:
    """The process that forks: one for each test process, from its first command on."""

    def __init__(self) -> None:
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.environment["OMP_NUM_THREADS"] = "1"
        self.statuses: dict[int, int] = {}  # of processes that have ended and were not asked for yet
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, HERE / "preloaded.py"]
            self.process = subprocess.Popen(command, stdin=theirs, env=self.environment, cwd="/")
        atexit.register(self.end)

    def end(self) -> None:
        self.socket.close()
        self.process.wait()

    def fork(self, asked: dict, files: list[int]) -> int:
        """The process's number."""
        environment = asked["environment"]
        assert is_same_start(environment, self.environment), f"some of it is read when Python starts: {AT_START.pattern}"
        socket.send_fds(self.socket, [json.dumps(asked).encode()], files)
        while len(words := self.socket.recv(100).split()) == 2:
            self.statuses[int(words[0])] = int(words[1])
        return int(words[0])

    def find_status(self, pid: int, timeout: float | None) -> int | None:
        """None where it goes on after `timeout` seconds, None: however long it takes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while pid not in self.statuses:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.socket], [], [], left)[0]:
                return None
            ended, status = map(int, self.socket.recv(100).split())
            self.statuses[ended] = status
        return self.statuses[pid]


preloaded = functools.cache(Preloaded)


def list_children(pid: int) -> list[int]:
    """Those that the command itself has started and that have not been waited for."""
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(number) for number, name in (line.split(maxsplit=1) for line in listed.splitlines()) if name != SISTER]


class Started:
    """A command that runs, as `subprocess.Popen` has it; what it prints goes to files, which `stdout` and `stderr` read."""

    def __init__(
        self,
        command: Sequence[str | Path],
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        interpreter, *arguments = map(str, command)
        assert interpreter == sys.executable, command
        self.command, self.returncode = command, None
        asked = {
            "arguments": arguments,
            "cwd": str(cwd or os.getcwd()),
            "environment": {"OMP_NUM_THREADS": "1"} | dict(os.environ if env is None else env),
            "new_session": start_new_session,
        }
        self._folder = tempfile.TemporaryDirectory()
        self.out, self.err = (Path(self._folder.name, name) for name in ("out", "err"))
        with open(os.devnull) as nothing, self.out.open("w") as out, self.err.open("w") as err:
            self.pid = preloaded().fork(asked, [nothing.fileno(), out.fileno(), err.fileno()])

    @property
    def stdout(self) -> str:
        return self.out.read_text()

    @property
    def stderr(self) -> str:
        return self.err.read_text()

    def poll(self) -> int | None:
        self.returncode = preloaded().find_status(self.pid, 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.returncode = preloaded().find_status(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.command, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run(
    command: Sequence[str | Path],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of `[sys.executable, "-m" or "-c" or a script, ...]`, its output captured as text."""
    started = Started(command, cwd, env)
    try:
        status = started.wait(timeout)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
        raise
    if check and status:
        raise subprocess.CalledProcessError(status, command, started.stdout, started.stderr)
    return subprocess.CompletedProcess(command, status, started.stdout, started.stderr)
