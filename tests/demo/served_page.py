"""`python -m lta.demo` as a process of its own, and its address."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple

from commands import environment


class Served(NamedTuple):
    """`said` is what was printed until the page was there."""

    process: subprocess.Popen
    address: str
    said: list[str]

    def end(self, number=signal.SIGINT):
        """Exit status, and what was printed at the end."""
        self.process.send_signal(number)
        said = self.process.stdout.read()
        return self.process.wait(60), said


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


@contextmanager
def served(folder, *arguments, **settings):
    """With `folder` for everything that a user's own folders are for: home, cwd and tmp are in it."""
    for name in ("home", "cwd", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = {name: value for name, value in environment().items() if not name.startswith("XDG_") and name != "PYTHONPATH"}
    own |= {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-m", "lta.demo", f"port={free_port()}", *arguments]
    process = subprocess.Popen(
        command, cwd=folder / "cwd", env=own | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("http://"):
                break
        assert process.poll() is None, said
        yield Served(process, said[-1].split()[0], said)
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        process.wait()
