"""The hub is played by a server on this machine that speaks its protocol; the stage runs in a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from shards import record, write_shard

from patina.core.raw import iter_rows
from patina.core.raw_report import read_report
from patina.core.session import STATE, StageState
from patina.download.hub import DATASET, REVISION

STAGE = """
import sys
from patina.core.session import session
from patina.download.stage import run
with session("download", sys.argv[1]) as progress:
    run(sys.argv[1], sys.argv[1] + ".html", data="hf://danielaivanova/damaged-media", pictures=1, seed=0, settings="{}", progress=progress)
"""


class Hub(ThreadingHTTPServer):
    """Lists and serves `files`; `spoiled` counts how many more times a file is served with one byte changed."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.spoiled: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body: bool):
        self.server.requests.append((self.command, self.path))
        path = self.path.partition("?")[0]
        resolve = f"/datasets/{DATASET}/resolve/{REVISION}/"
        if path == f"/api/datasets/{DATASET}/tree/{REVISION}/data":
            self.send(
                json.dumps([self.entry(name) for name in self.server.files]).encode(), {"Content-Type": "application/json"}, with_body
            )
        elif path.startswith(resolve) and (name := path.removeprefix(resolve)) in self.server.files:
            body = self.server.files[name]
            headers = {"X-Repo-Commit": REVISION, "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
            if with_body and self.server.spoiled.get(name, 0) > 0:
                self.server.spoiled[name] -= 1
                body = body[:50] + bytes([body[50] ^ 1]) + body[51:]
            self.send(body, headers, with_body)
        else:
            self.send_error(404)

    def entry(self, name: str) -> dict:
        body = self.server.files[name]
        lfs = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}
        return {"type": "file", "oid": "0" * 40, "size": len(body), "path": name, "lfs": lfs}

    def send(self, body: bytes, headers: dict[str, str], with_body: bool):
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(tmp_path):
    names = {"data/train-00000-of-00002.parquet": ["a", "b"], "data/train-00001-of-00002.parquet": ["c"]}
    files = {name: write_shard(tmp_path / "hub" / name, [record(i) for i in ids]).read_bytes() for name, ids in names.items()}
    server = Hub(files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def download(folder: Path, **environment: str) -> tuple[int, StageState]:
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    variables = clean | {"HF_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(sys.path)} | environment
    done = subprocess.run([sys.executable, "-c", STAGE, str(folder / "raw")], env=variables, check=False, capture_output=True)
    return done.returncode, StageState.model_validate_json((folder / STATE).read_bytes())


def test_every_shard_of_the_pinned_revision_is_read_in_order(hub, tmp_path):
    code, _ = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert code == 0
    assert [row.id for row in iter_rows(tmp_path / "out" / "raw")] == ["a", "b", "c"]
    report = read_report(tmp_path / "out" / "raw")
    assert (report.licence, report.source) == ("AFL-3.0", f"hf://{DATASET} at revision {REVISION[:12]}")
    fetched = [path for _, path in hub.requests if "/tree/" in path or "/resolve/" in path]
    assert len(fetched) >= 5
    assert all(REVISION in path for path in fetched), fetched
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "home") == [
        "raw",
        "raw.html",
        "stage.log",
        "state.json",
    ]


def test_a_shard_that_arrives_corrupted_is_fetched_again(hub, tmp_path):
    name = "data/train-00001-of-00002.parquet"
    hub.spoiled = {name: 1}
    code, _ = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert code == 0
    assert [row.id for row in iter_rows(tmp_path / "out" / "raw")] == ["a", "b", "c"]
    assert sum(command == "GET" and path.endswith(name) for command, path in hub.requests) == 2


def test_a_shard_that_keeps_arriving_corrupted_is_refused(hub, tmp_path):
    hub.spoiled = {"data/train-00000-of-00002.parquet": 99}
    code, state = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert (code, state.error) == (4, "StorageError")
    assert "train-00000-of-00002.parquet" in (state.message or "")
    assert "the hub lists" in (state.message or "")


def test_a_hub_without_the_data_set_fails_with_the_remedy(hub, tmp_path):
    hub.files = {}
    code, state = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert (code, state.error) == (4, "StorageError")
    assert "lists no Parquet shards" in (state.message or "")
    assert "--data sample" in (state.message or "")


def test_a_server_that_is_no_hub_fails_with_the_remedy(hub, tmp_path):
    code, state = download(tmp_path / "out", HF_ENDPOINT=f"{hub.url}/elsewhere")
    assert (code, state.error) == (4, "StorageError")
    assert "cannot list the shards" in (state.message or "")


def test_a_hub_that_may_not_be_reached_fails_with_the_remedy(tmp_path):
    code, state = download(tmp_path / "out", HF_HUB_OFFLINE="1")
    assert (code, state.error) == (4, "StorageError")
    assert "--data with a folder, or --data sample" in (state.message or "")
    assert "\n" not in (state.message or "")


@pytest.mark.slow
def test_a_hub_that_refuses_connections_fails_after_bounded_retries(tmp_path):
    code, state = download(tmp_path / "out", HF_ENDPOINT="http://127.0.0.1:9")
    assert (code, state.error) == (4, "StorageError")
    assert "http://127.0.0.1:9" in (state.message or "")


def test_a_shard_in_another_schema_is_refused(hub, tmp_path):
    hub.files = {"data/train-00000-of-00001.parquet": b"PAR1 is not enough of a Parquet file, even with fifty bytes and more of it"}
    code, state = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert (code, state.error) == (3, "DataRefused")
