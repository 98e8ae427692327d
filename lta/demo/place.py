"""Where the page is: an address of this computer, and a folder that is deleted at the end. Imports no torch, which writes
where the environment says when it is imported."""

import errno
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lta import checks

LOOPBACK = ("127.0.0.1", "localhost")
EVERYWHERE = "0.0.0.0"
FIRST_PORT, PORTS = 7860, 100
HOSTED = ("SYSTEM", "SPACE_ID", "SPACES_ZERO_GPU")
"""By which Gradio knows that Hugging Face runs it, and does other things."""


@contextmanager
def use_own_folder(host: str) -> Iterator[tuple[Path, list[str]]]:
    """A temporary folder, for all that this process and its libraries write, and the names of the environment's settings of
    Gradio, which are put aside meanwhile: what the page promises doesn't depend on them."""
    for chatty in ("httpx", "matplotlib"):  # of requests that Gradio makes to itself, of fonts
        logging.getLogger(chatty).setLevel(logging.WARNING)
    before, where = dict(os.environ), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="lta-demo-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        aside = sorted(name for name in before if name.startswith("GRADIO_"))
        for name in (*aside, *HOSTED):
            os.environ.pop(name, None)
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": str(folder),
            "GRADIO_EXAMPLES_CACHE": str(folder),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "1",
            "MPLCONFIGDIR": str(folder),
        }
        for name in ("NO_PROXY", "no_proxy"):  # Gradio asks itself whether it is there: not by way of a proxy
            os.environ[name] = ",".join(filter(None, [before.get(name), *LOOPBACK, host]))
        tempfile.tempdir = str(folder)
        try:
            yield folder, aside
        finally:
            tempfile.tempdir = where
            os.environ.clear()
            os.environ.update(before)


def find_free_port(host: Any, port: Any) -> int:
    """`port`, or where that is None the first free one. Raises ValueError where it is taken or can't be, or `host` is no
    address of this computer."""
    if not isinstance(host, str) or not host or ":" in host:
        raise ValueError(f"host={host} must be a name or an IPv4 address of this computer, or {EVERYWHERE} for all of them")
    if port is not None:
        checks.require_whole_number("port", port, least=1)
    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, number))
                return number
            except (OSError, OverflowError) as error:
                if getattr(error, "errno", None) != errno.EADDRINUSE:
                    said = getattr(error, "strerror", None) or error
                    raise ValueError(f"host={host} port={number} can't be used: {said}") from error
    if port is None:
        raise ValueError(f"host={host}: no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free")
    raise ValueError(f"port={port} is taken on {host}; give another, or port=null for the first free one")


def check_installed() -> None:
    """Raises ValueError where what only the page needs is not installed."""
    missing = [name for name in ("gradio", "skimage") if find_spec(name) is None]
    if missing:
        raise ValueError(f"lta.demo needs {' and '.join(missing)}: pip install 'lta[demo]'")


def describe_reach(host: str) -> str:
    """Who can use the page, in words."""
    if host == "localhost" or host.startswith("127."):
        return "for this computer alone"
    return f"host={host}: for everybody who can reach this computer; there is no password"
