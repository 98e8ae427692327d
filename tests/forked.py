"""What a forked process does to be the one that `python ARGUMENTS` would have been, and so the processes that it starts.

A sweep's jobs, DDP's further processes and submitit's tasks are Python again. Where they would be this interpreter, with
nothing set that is read when it starts, they are forked too: by a sister, a process that was forked before the command
began and has done nothing since. The kernel makes them children of the command itself (clone(2), CLONE_PARENT): it waits
for them, they see it as their parent, and they get its signals, as if `subprocess` had started them.
"""

import atexit
import ctypes
import importlib
import inspect
import io
import json
import os
import platform
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from composed_once import compose_once

SISTER = "lta-sister"
"""The name of that process, where the children of a command are listed."""

CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine()) if sys.platform == "linux" else None
"""The number of the system call; None: children are started as ever."""
CLONE_PARENT = 0x8000

AT_START = re.compile(r"PYTHON(?!PATH$|UNBUFFERED$)|OMP_NUM_THREADS$")
"""Variables that Python or OpenMP read when they start."""


def become(
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
    new_session: bool = False,
    unbuffered: bool = False,
    affinity: list[int] | None = None,
) -> None:
    """Does what `python ARGUMENTS` would have done, and ends."""
    if new_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if affinity is not None:
        os.sched_setaffinity(0, affinity)
    begin_sister()
    renew_folders()
    compose_once()
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    at_once = unbuffered or bool(environment.get("PYTHONUNBUFFERED"))
    for number, name in ((1, "stdout"), (2, "stderr")):
        binary = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
        errors = "backslashreplace" if number == 2 else "strict"
        stream = io.TextIOWrapper(binary, errors=errors, line_buffering=number == 2, write_through=at_once)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    more = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = more
    importlib.invalidate_caches()
    try:
        run_as_main(*arguments)
    except SystemExit as end:
        leave(end.code)
        raise
    leave(None)


def run_as_main(how: str, *rest: str) -> None:
    """`-m MODULE ...`, `-c CODE ...` or `SCRIPT ...`."""
    if how == "-m":
        module, *rest = rest
        sys.argv = [module, *rest]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    elif how == "-c":
        code, *rest = rest
        sys.argv = ["-c", *rest]
        sys.path.insert(0, "")
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [how, *rest]
        sys.path.insert(0, os.path.dirname(os.path.realpath(how)))
        runpy.run_path(how, run_name="__main__")


def leave(code: object) -> None:
    """Ends this process as Python does, but that thousands of modules are not taken apart: they would be copied for it.

    Returns where `code` is a text, which Python prints, or where output can't be written: Python has a status for that.
    """
    if code is not None and not isinstance(code, int):
        return
    threading._shutdown()  # waits for the threads that are no daemons
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit((code or 0) & 0xFF)


def renew_folders() -> None:
    """Temporary ones are where this environment has them, and no other process removes W&B's."""
    tempfile.tempdir = None
    if wandb := sys.modules.get("wandb.sdk.data_types._private"):
        wandb.MEDIA_TMP._finalizer.detach()
        wandb.MEDIA_TMP.__init__("wandb-media")


def is_same_start(environment: dict[str, str], ours: dict[str, str]) -> bool:
    """Whether nothing that is read when Python starts is another there than here."""
    names = {name for name in {*environment, *ours} if AT_START.match(name)}
    return all(environment.get(name) == ours.get(name) for name in names)


def begin_sister() -> None:
    """Forks it; from here on, this process starts Python by it."""
    if CLONE is None:
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        if asked := serve_sister(theirs):
            become(**asked)
            sys.exit()  # where it has not ended yet
        os._exit(0)
    theirs.close()
    start_by_sister(ours, dict(os.environ))


def serve_sister(connection: socket.socket) -> dict | None:
    """In a child of the command: what it was asked for. In the sister, when the command has ended: None."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)}
    for number in kept:
        signal.signal(number, signal.SIG_IGN)  # sent to the group of which this is one
    with open("/proc/self/comm", "w") as name:
        name.write(SISTER)
    while True:
        request, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        if not request:
            return None
        pid = clone()
        if pid == 0:
            connection.close()
            with open("/proc/self/comm", "w") as name:
                name.write("python")
            for number, handler in kept.items():
                signal.signal(number, handler)
            for target, file in enumerate(files):
                os.dup2(file, target)
                os.close(file)
            return json.loads(request)
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())


def clone() -> int:
    """`os.fork`, but for the child's parent, which is that of this process."""
    python = ctypes.pythonapi  # goes on to hold the interpreter's lock, as the child needs it
    python.PyOS_BeforeFork()
    pid = python.syscall(*map(ctypes.c_long, (CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)))
    (python.PyOS_AfterFork_Child if pid == 0 else python.PyOS_AfterFork_Parent)()
    assert pid >= 0, "clone"
    return pid


ODD = ("preexec_fn", "pass_fds", "shell", "gid", "gids", "uid")
"""What a forked child is not given."""


def start_by_sister(sister: socket.socket, ours: dict[str, str]) -> None:
    """`subprocess` asks the sister for what it can start."""
    execute, lock = subprocess.Popen._execute_child, threading.Lock()
    signature = inspect.signature(execute)

    def execute_or_fork(self: subprocess.Popen, *values: object) -> None:
        given = signature.bind(self, *values).arguments
        asked = describe_start(given, ours)
        if asked is None:
            execute(self, *values)
            return
        ends = enumerate(given[name] for name in ("p2cread", "c2pwrite", "errwrite"))
        with lock:
            socket.send_fds(sister, [json.dumps(asked).encode()], [number if end == -1 else end for number, end in ends])
            self.pid = int(sister.recv(100))
        self._child_created = True
        self._close_pipe_fds(*(given[n] for n in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")))

    subprocess.Popen._execute_child = execute_or_fork


def describe_start(given: dict, ours: dict[str, str]) -> dict | None:
    """What `become` is to be told; None: it can't be that process."""
    command, env = given["args"], os.environ if given["env"] is None else given["env"]
    if isinstance(command, str | bytes | os.PathLike) or any(given[name] for name in ODD) or given["umask"] != -1:
        return None
    interpreter, *arguments = map(os.fspath, command)
    environment = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
    if interpreter != sys.executable or not is_same_start(environment, ours):
        return None
    unbuffered = arguments[:1] == ["-u"]
    arguments = arguments[unbuffered:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-m", "-c")):
        return None
    return {
        "arguments": arguments,
        "cwd": os.path.abspath(given["cwd"] or "."),
        "environment": environment,
        "new_session": bool(given["start_new_session"]),
        "unbuffered": unbuffered,
        "affinity": sorted(os.sched_getaffinity(0)),
    }
