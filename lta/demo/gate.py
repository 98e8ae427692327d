"""Which requests reach the page, and what a browser may do with the answers."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UPLOAD, FILES = "/gradio_api/upload", "/gradio_api/file="
PATHS = {
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    UPLOAD,
    "/gradio_api/upload_progress",
    "/gradio_api/queue/join",
    "/gradio_api/queue/data",
    "/gradio_api/cancel",
    "/gradio_api/reset",
}
FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/", FILES)
"""What the page asks for. Gradio has more: an interface for programs, a way to fetch from other servers through this one,
links to pages' states, monitoring."""

AROUND = 1_000_000
"""Bytes that a request may have beside a file."""

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""The browser itself fetches nothing from and sends nothing to anywhere else, and shows the page in no other."""

HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Gate:
    """`hosts`: the names that requests may call this server by, None for any: a foreign page can't reach it through a name
    of its own that leads here. Nor may a page of another origin send anything, nor anybody a file of more than `largest`
    bytes, or have one fetched from elsewhere."""

    def __init__(self, app: Any, hosts: Collection[str] | None, largest: int):
        self.app, self.hosts, self.largest = app, hosts, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # Gradio uses no web sockets
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._find_refusal(scope["method"], scope["path"], headers)
        if refused is None and scope["method"] == "POST" and scope["path"] != UPLOAD:
            body = await _read_body(receive)
            receive = _replay_body(body, receive)
            refused = (403, "no files of other servers") if _has_address(body) else None
        if refused is not None:
            status, said = refused
            start = {"type": "http.response.start", "status": status}
            await send({**start, "headers": [(b"content-type", b"text/plain"), *HEADERS]})
            await send({"type": "http.response.body", "body": said.encode()})
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self.app(scope, receive, sent)

    def _find_refusal(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.hosts is not None and urlsplit(f"//{host}").hostname not in self.hosts:
            return 400, "the request names another server"
        if path not in PATHS and not path.startswith(FOLDERS):
            return 404, "there is nothing here"
        if path.startswith(FILES) and "://" in path:
            return 403, "no files of other servers"
        if method in ("GET", "HEAD"):
            return None
        if "origin" in headers and urlsplit(headers["origin"]).netloc != host:
            return 403, "requests from other pages are refused"
        length = headers.get("content-length", "")
        if not length.isdecimal():
            return 411, "the request must say its length"
        most = AROUND + (self.largest if path == UPLOAD else 0)
        return (413, f"at most {most} bytes are allowed") if int(length) > most else None


async def _read_body(receive: Receive) -> bytes:
    """A request's body; its length was looked at before."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """What has been received once more, then what comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def _has_address(body: bytes) -> bool:
    """Whether a file in it is an address: Gradio would fetch that."""
    try:
        left = [json.loads(body)]
    except ValueError:
        return False  # Gradio refuses it
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if "://" in str(node.get("path", "")):
                return True
            left += node.values()
        elif isinstance(node, list):
            left += node
    return False
