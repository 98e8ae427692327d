"""The report as a page that this computer serves to itself, and that is made anew while runs go on."""

import hashlib
import html
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lta.report.places import walk_folders
from lta.report.runs import MARKS
from lta.report.unfinished import find_running
from lta.report.writing import escape_surrogates, say

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
"""Of this computer: a page of somebody else's that has its own name lead here is not answered."""

LOOKED_AT = (*MARKS, "results.json", "metrics.csv")
FOLDERS = ("evaluations", "attention")

SECONDS = 3
SCRIPT = """<script>
const made = "%s";
setInterval(async () => {
  try {
    const now = await (await fetch("state", { cache: "no-store" })).text();
    if (now !== made) location.reload();
  } catch { /* the command has ended: the page stays as it is */ }
}, %d);
</script>
</body>"""


def take_state(places: Sequence[Path]) -> str:
    """Of all runs at or below `places`: another one once a file of theirs has changed, or one has ended without a word."""
    found, seen = hashlib.blake2b(digest_size=12), set()
    for place in places:
        for folder, files, _ in walk_folders(place, seen, []):
            if files is None or files.isdisjoint(LOOKED_AT):
                continue
            for path in (*(folder / name for name in LOOKED_AT if name in files), *(folder / name for name in FOLDERS)):
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                found.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode(errors="surrogateescape"))
            if "results.json" not in files and find_running(folder):  # one that is killed changes no file
                found.update(b"running\n")
    return found.hexdigest()


class Watched:
    """`build` makes the page; it is made again where `places` have changed."""

    def __init__(self, build: Callable[[], str], places: Sequence[Path]):
        self.build, self.places = build, places
        self._lock = threading.Lock()
        self._made: tuple[str, bytes] | None = None

    def get_page(self) -> bytes:
        """As of now; what can't be reported is said in the place of the page."""
        with self._lock:
            state = take_state(self.places)
            if self._made is None or self._made[0] != state:
                try:
                    page = self.build()
                except (ValueError, OSError) as error:
                    said = html.escape(str(error))
                    page = f'<!doctype html>\n<html lang="en"><title>no report yet</title><body><p>{said}</p></body></html>'
                head, _, tail = page.rpartition("</body>")
                page = head + SCRIPT % (state, 1000 * SECONDS) + tail
                self._made = state, escape_surrogates(page).encode()
            return self._made[1]


def serve_watched(watched: Watched, port: int) -> ThreadingHTTPServer:
    """A server on the loopback address, not yet started; `port` 0 takes a free one. Raises ValueError where it is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (self.headers.get("Host") or "").rpartition(":")[0] not in NAMES:
                self.send_error(403, "This page is for this computer alone")
            elif self.path == "/":
                self._answer(watched.get_page(), "text/html; charset=utf-8")
            elif self.path == "/state":
                self._answer(take_state(watched.places).encode(), "text/plain; charset=utf-8")
            else:
                self.send_error(404)

        def _answer(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """A line for each look would hide what the command has said."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        raise ValueError(f"--port={port} can't be used: {getattr(error, 'strerror', None) or error}") from error


def watch(build: Callable[[], str], places: Sequence[Path], port: int) -> int:
    """Serves the page until Ctrl-C; returns the exit status."""
    with serve_watched(Watched(build, places), port) as server:
        address = f"http://{LOOPBACK}:{server.server_address[1]}/"
        say(f"{address} shows the report and updates it as runs go on; Ctrl-C ends it", sys.stdout)
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0
