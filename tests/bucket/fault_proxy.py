"""A proxy in front of an S3 server that stumbles on request and keeps a book."""

import http.client
import socket
import struct
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>as asked</Message><Resource>/</Resource><RequestId>1</RequestId></Error>"


class FaultProxy(ThreadingHTTPServer):
    """Forwards to the server at `upstream`.

    Attributes:
        faults: method -> what its next requests meet, in order. (status, code) is an answer, "reset" breaks the connection before
            the request is forwarded, "lost" after it, ("short", n) ends the body after n bytes, ("stall", n) falls silent after
            them, "flipped" changes one byte of the answer, "flipped request" one of the request, "no range" answers with the whole
            object (sent before) as a server does that knows no ranges, None is nothing.
        book: (method, path, Range or "") of every request that was forwarded, with the status of the answer.
        headers: sent with answers that are faults.
        put_bytes: bytes of PUT bodies that were forwarded.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream: int, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.upstream = upstream
        self.faults: dict[str, deque[Any]] = {}
        self.book: list[tuple[str, str, str, int]] = []
        self.headers: dict[str, str] = {}
        self.put_bytes = 0
        self.bodies: dict[str, bytes] = {}
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away early are what tests are about."""

    def meets(self, method: str, *faults: Any) -> None:
        """The next requests with `method` meet `faults`."""
        self.faults[method] = deque(faults)

    def count(self, method: str) -> int:
        """How many requests with `method` were forwarded and answered well."""
        return sum(1 for each, _, _, status in self.book if each == method and status < 300)

    def close(self) -> None:
        """Ends the proxy: its port refuses connections."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.forward()

    def do_PUT(self) -> None:
        self.forward()

    def do_HEAD(self) -> None:
        self.forward()

    def do_POST(self) -> None:
        self.forward()

    def do_DELETE(self) -> None:
        self.forward()

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        waiting = self.server.faults.get(self.command)
        fault = waiting.popleft() if waiting else None
        if fault == "reset":
            self.break_off()
        elif isinstance(fault, tuple) and isinstance(fault[0], int):
            self.answer(fault[0], {"Content-Type": "application/xml", **self.server.headers}, ERROR.format(fault[1]).encode())
        else:
            if fault == "flipped request":
                body = body[:10] + bytes([body[10] ^ 1]) + body[11:]
            self.pass_on(body, fault)

    def pass_on(self, body: bytes, fault: Any) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            response = upstream.getresponse()
            answer = response.read()
        except OSError:
            self.break_off()
            return
        finally:
            upstream.close()
        self.server.book.append((self.command, self.path, self.headers.get("Range", ""), response.status))
        if self.command == "PUT":
            self.server.put_bytes += len(body)
        if fault == "lost":
            self.break_off()
            return
        if fault == "flipped":
            answer = answer[:10] + bytes([answer[10] ^ 1]) + answer[11:]
        if response.status == 200:
            self.server.bodies[self.path] = answer
        if fault == "no range":
            self.answer(200, {}, self.server.bodies[self.path])
            return
        kept = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in ("connection", "transfer-encoding", "content-length")
        }
        length = response.headers.get("Content-Length", str(len(answer))) if self.command == "HEAD" else str(len(answer))
        kind, upto = fault if isinstance(fault, tuple) else ("", None)
        self.answer(response.status, kept | {"Content-Length": length}, answer, upto)
        if kind == "short":
            self.close_connection = True
        elif kind == "stall":
            self.server.closing.wait()
            self.close_connection = True

    def answer(self, status: int, headers: dict[str, str], body: bytes, upto: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:upto])

    def break_off(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.wfile = self.rfile  # nothing is written any more

    def finish(self) -> None:
        if self.wfile is not self.rfile:
            super().finish()

    def log_message(self, *arguments: Any) -> None:
        return
