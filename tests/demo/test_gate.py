"""Which requests reach the page, as another program would send them."""

import asyncio
import json

import pytest

from lta.demo.gate import AROUND, Gate

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
HERE = {"host": "127.0.0.1:7860"}


def asked(method, path, headers=HERE, body=b"", hosts=("127.0.0.1", "localhost"), largest=1000):
    """Status, headers, and what the page behind the gate has received, None where nothing came through."""
    received, sent = [], []
    chunks = [body[:5], body[5:]]

    async def page(scope, receive, send):
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message["body"])
            more = message["more_body"]
        received.append(b"".join(parts))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})

    async def receive():
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    if method == "POST":
        headers = {"content-length": str(len(body)), **headers}
    scope = {"type": "http", "method": method, "path": path}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(Gate(page, hosts, largest)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), received[0] if received else None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/theme.css",
        "/assets/index.js",
        "/static/x.js",
        "/gradio_api/heartbeat/abc",
        "/gradio_api/file=/tmp/a",
        "/gradio_api/queue/data",
    ],
)
def test_what_the_page_asks_for_comes_through_and_may_go_nowhere_else(path):
    status, headers, received = asked("GET", path)
    assert (status, received) == (200, b"")
    assert b"connect-src 'self'" in headers[b"content-security-policy"]
    assert b"http" not in headers[b"content-security-policy"]
    assert headers[b"x"] == b"y"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/info",
        "/gradio_api/api/live",
        "/gradio_api/run/predict",
        "/gradio_api/call/live",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/gradio_api/proxy=http://a",
        "/gradio_api/deep_link",
        "/gradio_api/component_server",
        "/gradio_api/runs",
        "/gradio_api/filex",
        "/gradio_api/vibe-code/",
        "/gradio_api/stream/1",
        "/login",
    ],
)
def test_what_it_does_not_is_not_there(path):
    for method in ("GET", "POST"):
        assert asked(method, path)[::2] == (404, None)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("evil.example:7860", 400),
        ("", 400),
        ("127.0.0.1.evil.example", 400),
    ],
)
def test_only_by_its_own_names(host, status):
    assert asked("GET", "/", {"host": host})[0] == status
    assert asked("GET", "/", {"host": host}, hosts=None)[0] == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:7860", 200),
        (None, 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:9999", 403),
    ],
)
def test_only_from_its_own_page(origin, status):
    for path in (JOIN, UPLOAD):
        headers = HERE if origin is None else HERE | {"origin": origin}
        assert asked("POST", path, headers, b"{}")[0] == status


def test_no_more_than_it_may():
    assert asked("POST", UPLOAD, body=bytes(AROUND + 1000))[::2] == (200, bytes(AROUND + 1000))
    assert asked("POST", UPLOAD, body=bytes(AROUND + 1001))[::2] == (413, None)
    assert asked("POST", JOIN, body=bytes(AROUND + 1))[::2] == (413, None)
    assert asked("POST", JOIN, HERE | {"content-length": "-1"})[::2] == (411, None)
    assert asked("POST", JOIN, HERE | {"content-length": ""})[::2] == (411, None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tmp/lta/x.png", 200),
        ("http://example.com/x.png", 403),
        ("HTTPS://example.com/x", 403),
        ("ftp://a/b", 403),
    ],
)
def test_it_fetches_nothing_for_others(path, status):
    body = json.dumps({"data": [1, {"deep": [{"path": path, "url": "http://127.0.0.1:7860/x"}]}]}).encode()
    found, _, received = asked("POST", JOIN, body=body)
    assert (found, received) == (status, body if status == 200 else None)
    if "://" in path:
        assert asked("GET", f"/gradio_api/file={path}")[0] == 403
        hidden = body.replace(b"path", rb"p\u0061th")
        assert asked("POST", JOIN, body=hidden)[0] == 403
    assert asked("POST", JOIN, body=b"no json")[::2] == (200, b"no json")
