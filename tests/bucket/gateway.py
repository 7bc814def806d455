"""versitygw, a real S3 server, on this machine: built once into the cache of the user, started and killed by tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

VERSION = "1.8.0"
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patina-tools" / "bin"
ACCESS_KEY = "CANARYKEYID7Q"
SECRET_KEY = "canary/secret+Zq9=and more"  # noqa: S105 - what must never be seen anywhere; of characters that encodings change


def versitygw() -> Path:
    """The server's program; the test is skipped where it cannot be had."""
    program = TOOLS / "versitygw"
    if not program.exists():
        if shutil.which("go") is None:
            pytest.skip(f"Go: not installed, and versitygw is not in {TOOLS}")
        TOOLS.mkdir(parents=True, exist_ok=True)
        module = f"github.com/versity/versitygw/cmd/versitygw@v{VERSION}"
        environment = os.environ | {"GOBIN": str(TOOLS), "CGO_ENABLED": "0"}
        built = subprocess.run(["nice", "go", "install", module], env=environment, check=False, capture_output=True, text=True)
        if built.returncode:
            pytest.skip(f"Go: versitygw could not be built: {built.stderr.strip()[-300:]}")
    return program


class Gateway:
    """A server that keeps its buckets as folders of `folder`, and can be killed and started again at the same port."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder = folder
        self._program = program
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = os.environ | {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
        command = [self._program, "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", self.folder]
        with Path(f"{self.folder}.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self._process.poll() is not None:
                pytest.skip("versitygw does not start here: its folder needs extended attributes")
            time.sleep(0.02)
        pytest.fail("versitygw did not answer within 10 s")

    def kill(self) -> None:
        """Ends the server at once; its port refuses connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def dead(self) -> bool:
        return self._process is None

    def make_bucket(self, name: str) -> str:
        (self.folder / name).mkdir()
        return f"s3://{name}"
