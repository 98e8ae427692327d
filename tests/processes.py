"""Starts `python -m lta...` as a process of its own, without the 8 seconds in which each imports the same libraries.

What such a process can't show is started with `subprocess`: what a command imports, and how it ends by a signal.
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
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Preloaded:
    """The process that forks: one for each test process, from its first command on, for one command at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.environment["OMP_NUM_THREADS"] = "1"
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, HERE / "preloaded.py"]
            self.process = subprocess.Popen(command, stdin=theirs, env=self.environment, cwd="/")
        atexit.register(self.end)

    def end(self) -> None:
        self.socket.close()
        self.process.wait()

    def run(
        self, arguments: list[str], cwd: str, environment: dict[str, str], files: list[int], timeout: float | None
    ) -> int:
        """The exit status. Raises subprocess.TimeoutExpired when it has killed what took longer."""
        for name in {*environment, *self.environment}:
            fixed = name == "OMP_NUM_THREADS" or (name.startswith("PYTHON") and name != "PYTHONPATH")
            assert not fixed or environment.get(name) == self.environment.get(name), f"{name} is read when Python starts"
        asked = {"arguments": arguments, "cwd": cwd, "environment": environment}
        with self.lock:
            socket.send_fds(self.socket, [json.dumps(asked).encode()], files)
            pid = int(self.socket.recv(100))
            in_time, _, _ = select.select([self.socket], [], [], timeout)
            if not in_time:
                os.kill(pid, signal.SIGKILL)
            status = int(self.socket.recv(100))
        if not in_time:
            raise subprocess.TimeoutExpired(arguments, timeout or 0)
        return status


preloaded = functools.cache(Preloaded)


def run(
    command: Sequence[str | Path],
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of `[sys.executable, "-m" or "-c" or a script, ...]`, its output captured as text."""
    interpreter, *arguments = map(str, command)
    assert interpreter == sys.executable, command
    environment = {"OMP_NUM_THREADS": "1"} | dict(os.environ if env is None else env)
    with open(os.devnull) as nothing, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        files = [file.fileno() for file in (nothing, out, err)]
        status = preloaded().run(arguments, str(cwd or os.getcwd()), environment, files, timeout)
        out.seek(0)
        err.seek(0)
        ended = subprocess.CompletedProcess(command, status, out.read(), err.read())
    if check and status:
        raise subprocess.CalledProcessError(status, command, ended.stdout, ended.stderr)
    return ended
