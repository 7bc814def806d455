"""Pretrained encoders come through the real hub client, from a server on this machine that speaks the hub's protocol."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save

BUILD = """
import json, sys
from patina.core.errors import PatinaError
from patina.models.network import build
answers = []
for architecture in sys.argv[1:]:
    try:
        network = build(architecture, tile_size=64, decoder_channels=(16, 16, 16, 8, 8), pretrained="imagenet")
        answers.append({name: float(weight.double().sum()) for name, weight in network.encoder.named_parameters()})
    except PatinaError as error:
        answers.append(f"{type(error).__name__} {error.exit_code}: {error}")
print(json.dumps(answers))
"""


class Hub:
    """Answers as the hub does: HEAD with the file's commit, size and ETag, then GET."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.states: dict[str, dict[str, torch.Tensor]] = {}
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> bytes | None:
                hub.asked.append(self.path)
                repository, separator, rest = self.path.lstrip("/").partition("/resolve/")
                content = hub.files.get(f"{repository}/{rest.partition('/')[2]}") if separator else None
                if content is None:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("Content-Length", "0")
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                    self.send_header("X-Repo-Commit", "0" * 40)
                self.end_headers()
                return content

            def do_HEAD(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self.wfile.write(self._answer() or b"")

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def build_all(architectures: list[str], home: Path, **environment: str) -> list[dict[str, float] | str]:
    """Builds in one new process: the hub client reads its environment when it is imported, and torch takes long to import."""
    surroundings = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, "-c", BUILD, *architectures]
    return json.loads(subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def built(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float] | str]:
    """What becomes of five architectures at a hub that holds three of them, one pickled only, and one with wrong weights."""
    convnext, maxvit = (timm.create_model(name).state_dict() for name in ("convnext_atto", "maxvit_rmlp_pico_rw_256"))
    mit = smp.encoders.get_encoder("mit_b0", weights=None).state_dict()
    hub.states = {"unet-convnext_atto": convnext, "unet-mit_b0": mit, "unet-maxvit_pico": maxvit}
    hub.files = {
        "timm/convnext_atto.d2_in1k/model.safetensors": save(convnext),
        "timm/maxvit_rmlp_pico_rw_256.sw_in1k/model.safetensors": save(maxvit),
        "smp-hub/mit_b0.imagenet/config.json": b"{}",
        "smp-hub/mit_b0.imagenet/model.safetensors": save(mit),
        "timm/convnext_tiny.in12k_ft_in1k/pytorch_model.bin": b"whatever",
        "timm/maxvit_tiny_tf_384.in1k/model.safetensors": save({"stem.conv1.weight": torch.zeros(64, 3, 5, 5)}),
    }
    architectures = [*hub.states, "unet-convnext_tiny", "unet-maxvit_tiny"]
    answers = build_all(architectures, tmp_path_factory.mktemp("home"), HF_ENDPOINT=hub.url)
    return dict(zip(architectures, answers, strict=True))


@pytest.mark.parametrize(
    ("architecture", "first", "last"),
    [
        ("unet-convnext_atto", "stem_0.weight", "stages_3.blocks.1.mlp.fc2.bias"),
        ("unet-mit_b0", "patch_embed1.proj.weight", "block4.1.mlp.fc2.weight"),
        ("unet-maxvit_pico", "stem.conv1.weight", "stages_3.blocks.1.attn_grid.mlp.fc2.weight"),
    ],
)
def test_an_encoder_starts_with_the_hubs_weights_from_first_to_last(
    built: dict[str, dict[str, float]], hub: Hub, architecture: str, first: str, last: str
) -> None:
    sums = {name.removeprefix("model."): value for name, value in built[architecture].items()}
    for name in (first, last):
        served = hub.states[architecture][name.replace("stem_", "stem.").replace("stages_", "stages.")]
        assert sums[name] == pytest.approx(float(served.double().sum()))


def test_a_hub_with_only_pickled_weights_is_refused(built: dict[str, str], hub: Hub) -> None:
    assert built["unet-convnext_tiny"].startswith("StorageError 4: no ImageNet weights for unet-convnext_tiny: ")
    assert "--set train.pretrained=none" in built["unet-convnext_tiny"]
    assert not any("pytorch_model" in path for path in hub.asked)


def test_weights_of_another_encoder_are_refused(built: dict[str, str]) -> None:
    assert built["unet-maxvit_tiny"].startswith("DataRefused 3: the hub's weights for unet-maxvit_tiny are not this encoder's")


def test_an_offline_machine_gets_the_remedy(tmp_path: Path) -> None:
    [answer] = build_all(["unet-mit_b0"], tmp_path, HF_HUB_OFFLINE="1")
    assert str(answer).startswith("StorageError 4: no ImageNet weights for unet-mit_b0: ")
    assert "Set HF_ENDPOINT" in str(answer)
