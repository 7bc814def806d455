"""A data set and encoder weights go from a hub on this machine into a bucket."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "download"))  # the hub of the download stage's tests

from fault_proxy import FaultProxy
from hub_server import Hub, serving
from huggingface_hub import close_session, constants, hf_hub_download

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.bucket_index import fetch_data, fetch_encoders, object_key
from patina.core.errors import StorageError
from patina.download.hub import DATASET, REVISION
from patina_pipelines.mirror import mirror

SHARDS = {f"data/train-0000{number}-of-00003.parquet": b"shard %d" % number * 1000 for number in range(3)}
ENCODERS = {
    "timm/convnext_atto.d2_in1k/model.safetensors": b"weights of ConvNeXt",
    "smp-hub/mit_b0.imagenet/config.json": b"{}",
    "smp-hub/mit_b0.imagenet/model.safetensors": b"weights of MiT",
}
MIRROR = """
import sys
from patina_pipelines.mirror import mirror
print(mirror("none", sys.argv[1], encoders=["unet-convnext_atto", "unet-mit_b0"]).files)
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
    server = Hub(dict(SHARDS))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with serving(server):
        yield server
    close_session()


def test_the_data_set_comes_back_with_its_revision(hub: Hub, url: str, patience: Patience, tmp_path: Path) -> None:
    assert mirror(f"hf://{DATASET}", url, patience=patience).sent == 3
    assert fetch_data(url, tmp_path / "back", patience) == f"hf://{DATASET}@{REVISION}"
    assert {name: (tmp_path / "back" / name).read_bytes() for name in SHARDS} == SHARDS


def test_shards_that_the_bucket_holds_are_not_even_fetched(hub: Hub, url: str, proxy: FaultProxy, patience: Patience) -> None:
    first = next(iter(SHARDS))
    sha256 = hashlib.sha256(SHARDS[first]).hexdigest()
    Bucket(url, patience).put_bytes(object_key(sha256), SHARDS[first])
    assert mirror(f"hf://{DATASET}", url, patience=patience).sent == 2
    assert hub.ranges(first) == []


def test_a_hub_that_is_refused_leaves_no_index(hub: Hub, url: str, patience: Patience) -> None:
    hub.meets(next(iter(SHARDS)), 403)
    with pytest.raises(StorageError, match="refused with HTTP status 403"):
        mirror(f"hf://{DATASET}", url, patience=patience)
    assert Bucket(url, patience).read("index.json") is None


class Weights(BaseHTTPRequestHandler):
    """Answers for a file as the hub does."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        content = ENCODERS[f"{repository}/{rest.partition('/')[2]}"]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.end_headers()
        return content

    def log_message(self, *arguments: object) -> None:
        return


def test_encoder_weights_go_through_the_bucket_to_a_machine_without_a_hub(url: str, patience: Patience, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Weights) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        surroundings = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", MIRROR, url]  # the hub's client reads its environment when it is imported
        done = subprocess.run(command, env=os.environ | surroundings, check=True, capture_output=True, text=True)
        server.shutdown()
    assert done.stdout.strip() == "3"
    assert fetch_encoders(url, tmp_path / "cache") == 3
    found = hf_hub_download("timm/convnext_atto.d2_in1k", "model.safetensors", cache_dir=tmp_path / "cache", local_files_only=True)
    assert Path(found).read_bytes() == b"weights of ConvNeXt"
    import segmentation_models_pytorch as smp

    revision = smp.encoders.encoders["mit_b0"]["pretrained_settings"]["imagenet"]["revision"]
    pinned = {"revision": revision, "cache_dir": tmp_path / "cache", "local_files_only": True}
    assert Path(hf_hub_download("smp-hub/mit_b0.imagenet", "model.safetensors", **pinned)).read_bytes() == b"weights of MiT"
