"""python preloaded.py: forks a process for each command that it is sent, with the libraries imported already.

What `tests/processes.py` starts, once a test process. Over the Unix socket that is its standard input come requests: JSON
of `arguments` (those of the interpreter), `cwd` and `environment`, with the files for standard input, output and error. It
answers with the process's number and, when that has ended, with number and status. It ends with the socket's other end.

No module of lta is imported here, and no thread is started: the child imports lta from where its own command would.
"""

import gc
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import threading

from forked import become

PRELOADED = (
    "hydra.main",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "PIL.ImageOps",
    "pytorch_lightning",
    "sklearn.datasets",
    "torch",
    "torchmetrics",
    "torchvision.transforms.v2",
    "wandb.apis.public",
)


def serve(connection: socket.socket) -> dict | None:
    """In a child: what it was asked for. In the server, when nobody can ask any more: None."""
    children: dict[int, int] = {}  # by the file that says when one has ended
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in children:
                poll.unregister(ready)
                os.close(ready)
                pid, status = os.waitpid(children.pop(ready), 0)
                connection.send(f"{pid} {os.waitstatus_to_exitcode(status)}".encode())
                continue
            request, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
            if not request:
                return None
            pid = os.fork()
            if pid == 0:
                connection.close()
                for file in children:
                    os.close(file)
                for target, file in enumerate(files):
                    os.dup2(file, target)
                    os.close(file)
                return json.loads(request)
            for file in files:
                os.close(file)
            ended = os.pidfd_open(pid)
            children[ended] = pid
            poll.register(ended, select.POLLIN)
            connection.send(str(pid).encode())


def main() -> None:
    del sys.path[0]  # the tests' folder
    for name in PRELOADED:
        if importlib.util.find_spec(name.partition(".")[0]):  # a machine for runs alone may lack wandb
            importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.collect()
    gc.freeze()  # the collector of a child does not touch, and so copy, what is shared
    connection = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: pytest ends this process by the socket
    if asked := serve(connection):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        become(**asked)


if __name__ == "__main__":
    main()
