"""A server on this machine that speaks the hub's protocol, stumbles on request and keeps a book; and a proxy that does."""

import hashlib
import json
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from patina.download.hub import DATASET, REVISION

TREE = f"/api/datasets/{DATASET}/tree/{REVISION}/data"
RESOLVE = f"/datasets/{DATASET}/resolve/{REVISION}/"


class Hub(ThreadingHTTPServer):
    """Lists and serves `files`.

    Attributes:
        files: name -> content.
        faults: for each path, what its next requests meet, in order: an int is a status, "silence" no answer, ("cut", n) the
            connection is closed after n bytes of the body, ("stall", n) nothing comes after them, "spoiled" one byte is changed,
            "no ranges" everything is sent from the beginning, "wrong range" other bytes than asked for, "long" bytes too many.
        headers: sent with every status that is a fault.
        requests: (path, Range or "") of every GET.
        sent: how many bytes of bodies went out.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.files = files
        self.faults: dict[str, deque[Any]] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, str]] = []
        self.sent = 0
        self.stalled = threading.Event()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def listing(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "file",
                "oid": "0" * 40,
                "size": len(body),
                "path": name,
                "lfs": {"oid": sha256(body), "size": len(body), "pointerSize": 134},
            }
            for name, body in self.files.items()
        ]

    def meets(self, name: str, *faults: Any) -> None:
        """The next requests for the shard `name` (or for the list, "tree") meet `faults`."""
        self.faults[TREE if name == "tree" else RESOLVE + name] = deque(faults)

    def ranges(self, name: str) -> list[str]:
        """The Range header of each request for the shard `name`."""
        return [asked for path, asked in self.requests if path == RESOLVE + name]


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.requests.append((path, self.headers.get("Range", "")))
        waiting = self.server.faults.get(path)
        fault = waiting.popleft() if waiting else None
        if fault == "silence":
            self.wait()
        elif isinstance(fault, int):
            self.answer(fault, b"{}", self.server.headers)
        elif path == TREE:
            self.answer(200, json.dumps(self.server.listing()).encode(), {"Content-Type": "application/json"})
        elif path.startswith(RESOLVE) and path.removeprefix(RESOLVE) in self.server.files:
            self.serve(self.server.files[path.removeprefix(RESOLVE)], fault)
        else:
            self.answer(404, b"{}", {})

    def serve(self, body: bytes, fault: Any):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        total = len(body)
        if fault == "spoiled":
            body = body[:50] + bytes([body[50] ^ 1]) + body[51:]
        elif fault == "long":
            body += b"more"
        start = 0 if fault == "no ranges" else start // 2 if fault == "wrong range" else start
        headers = {"ETag": f'"{sha256(body)}"', "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        kind, upto = fault if isinstance(fault, tuple) else ("", len(body))
        self.answer(206 if start else 200, body[start:], headers, upto)
        if kind == "stall":
            self.server.stalled.set()
            self.wait()

    def answer(self, status: int, body: bytes, headers: dict[str, str], upto: int | None = None):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:upto])
        self.server.sent += len(body[:upto])
        self.close_connection = True

    def wait(self):
        """Says nothing until the server is closed."""
        self.server.closing.wait()
        self.close_connection = True

    def log_message(self, *arguments):
        pass


class Proxy(ThreadingHTTPServer):
    """Forwards nothing: answers every name for `hub` itself, and refuses tunnels.

    Attributes:
        lines: the request lines that arrived.
    """

    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.hub = hub
        self.lines: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self):
        self.server.lines.append(self.requestline)
        path = "/" + self.path.split("://", 1)[1].partition("/")[2]
        name = path.removeprefix(RESOLVE)
        body = json.dumps(self.server.hub.listing()).encode() if path == TREE else self.server.hub.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        self.server.lines.append(self.requestline)
        self.send_error(502)

    def log_message(self, *arguments):
        pass


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@contextmanager
def serving(server: Hub | Proxy) -> Generator[None]:
    """Runs `server` while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if isinstance(server, Hub):
            server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
