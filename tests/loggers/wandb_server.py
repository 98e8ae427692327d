"""A stand-in for the W&B server: what wandb-core asks in a login, a run, a resume and its uploads, and no more."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0123456789abcdef" * 2 + "01234567"


class Server:
    """Keeps one run: `rows` (the history), `summary`, `run` (what was said of it last), `uploads` and all `requests`.

    `dies_with`: the number of rows after which nothing is answered any more. `refuses`: no rows
    are taken. `like`: a server whose memory this one has.
    """

    def __init__(self, dies_with=None, refuses=False, like=None):
        self.requests, self.uploads = [], {}
        self.rows, self.events, self.summary, self.run = {}, {}, {}, {}
        self.conflicts = []  # lines that were sent again with another content
        self.starts, self.dies_with, self.dead, self.refuses = 0, dies_with, False, refuses
        if like is not None:
            self.rows, self.events, self.summary, self.run = like.rows, like.events, like.summary, like.run
        self._http = Http(("127.0.0.1", 0), type("Handler", (Handler,), {"kept": self}))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def environment(self):
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def history(self):
        return [json.loads(line) for _, line in sorted(self.rows.items())]

    def stop(self):
        self.dead = True
        self._http.shutdown()
        self._http.server_close()

    def graphql(self, query):
        text, variables = query["query"], query.get("variables", {})
        project = {"id": "p", "name": "lta", "entity": {"id": "e", "name": "somebody"}}
        if "query Viewer" in text:
            name = {"id": "v", "entity": "somebody", "username": "somebody"}
            return {"viewer": name | {"flags": "{}", "email": "", "teams": {"edges": []}}}
        if "query RunResumeStatus" in text:
            self.starts += 1
            return {"model": project | {"bucket": self.bucket() if self.run else None}}
        if "mutation UpsertBucket" in text:
            new = not self.run
            self.run |= {key: value for key, value in variables.items() if value is not None}
            return {"upsertBucket": {"bucket": self.bucket() | {"project": project}, "inserted": new}}
        if "mutation CreateRunFiles" in text:
            files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        return {}

    def bucket(self):
        return {
            "id": "b",
            "name": self.run.get("name"),
            "displayName": self.run.get("displayName"),
            "description": "",
            "sweepName": None,
            "notes": None,
            "config": self.run.get("config", "{}"),
            "tags": self.run.get("tags", []),
            "summaryMetrics": json.dumps(self.summary),
            "logLineCount": 0,
            "historyLineCount": len(self.rows),
            "eventsLineCount": len(self.events),
            "wandbConfig": json.dumps({"t": 1}),
            "historyTail": json.dumps([line for _, line in sorted(self.rows.items())][-1:]),
            "eventsTail": json.dumps([line for _, line in sorted(self.events.items())][-1:]),
        }

    def stream(self, sent):
        for name, kept in (("wandb-history.jsonl", self.rows), ("wandb-events.jsonl", self.events)):
            part = sent.get("files", {}).get(name, {"offset": 0, "content": []})
            for number, line in enumerate(part["content"], part["offset"]):
                if kept.setdefault(number, line) != line:
                    self.conflicts.append((name, number, kept[number], line))
        for line in sent.get("files", {}).get("wandb-summary.json", {}).get("content", []):
            self.summary = json.loads(line)
        return {}


class Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # the other side has gone


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.kept.dead:
            self.close_connection = True
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.kept.requests.append((self.command, self.path, body))
        status, reply = 200, {}
        if self.path == "/graphql":
            reply = {"data": self.kept.graphql(json.loads(body))}
        elif self.path.endswith("/file_stream") and self.kept.refuses:
            status = 403
        elif self.path.endswith("/file_stream"):
            reply = self.kept.stream(json.loads(body))
        elif self.path.startswith("/upload/"):
            self.kept.uploads[self.path.removeprefix("/upload/")] = body
        elif not self.path.startswith("/sdk/otel/"):  # W&B's own telemetry
            status = 404
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)
        if (
            self.kept.dies_with is not None
            and self.path.endswith("/file_stream")
            and len(self.kept.rows) >= self.kept.dies_with
        ):
            threading.Thread(target=self.kept.stop).start()

    do_GET = do_POST = do_PUT = answer
