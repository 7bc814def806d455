"""As much of a Docker engine's API as the first look at an engine needs: a real server on a real socket, without containers."""

import json
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path


class EngineStub(socketserver.ThreadingUnixStreamServer):
    """Answers what `answers` holds by the end of the path, everything else with 404."""

    daemon_threads = True

    def __init__(self, socket: Path, security_options: list[str]) -> None:
        self.answers = {
            "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"},
            "/info": {"SecurityOptions": security_options},
        }
        super().__init__(str(socket), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: EngineStub

    def address_string(self) -> str:
        return "unix"  # a peer on a Unix socket has no address

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        return

    def do_GET(self) -> None:
        found = next((answer for end, answer in self.server.answers.items() if self.path.endswith(end)), None)
        body = json.dumps(found if found is not None else {"message": "No such image"}).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
