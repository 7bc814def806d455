"""The images themselves, on a Docker engine: PATINA_TEST_IMAGES=1 asks for these tests (images/README.md)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import client
from packaging.utils import canonicalize_name

from patina.core import containers, provenance
from patina_pipelines import docker_engine

REFERENCES = {"data": containers.DATA, "torch": containers.TORCH}
LIMIT = 700_000_000
CONFINED = ("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--user=10001:10001")
TINY = ("--architectures", "unet-resnet10t", "--set", "epochs=1", "--set", "pictures=12")
LOOK_AROUND = """
import os, socket
from pathlib import Path
def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(set(status["Uid"].split()) == {"10001"}, int(status["CapEff"], 16) == 0, [name for _, name in socket.if_nameindex()] == ["lo"],
      refused(lambda: socket.create_connection(("192.0.2.1", 443), 3)), refused(lambda: Path("/opt/patina/x").touch()),
      not refused(lambda: Path("/tmp/x").touch()))
"""


def run(folder: Path, *arguments: str) -> Path:
    """Runs a tiny benchmark and returns its folder."""
    command = [sys.executable, "-m", "patina_pipelines", "run", *TINY, "--runs", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return next(folder.iterdir())


def test_the_data_image_is_small(images):
    size = client("image", "inspect", "--format", "{{.Size}}", containers.DATA).stdout
    assert int(size) <= LIMIT


@pytest.mark.parametrize("image", REFERENCES)
def test_an_image_holds_the_code_that_is_installed_here(images, image):
    assert set(docker_engine.images()) == set(REFERENCES.values())
    ask = ["python3", "-c", "from patina.core import provenance; print(provenance.source_digest())"]
    assert client("run", "--rm", *CONFINED, REFERENCES[image], *ask).stdout.strip() == provenance.source_digest()


@pytest.mark.parametrize("image", REFERENCES)
def test_a_confined_process_is_not_root_and_reaches_nothing(images, image):
    found = client("run", "--rm", *CONFINED, REFERENCES[image], "python3", "-c", LOOK_AROUND)
    assert found.stdout.split() == ["True"] * 6, found.stderr


@pytest.mark.parametrize("image", REFERENCES)
def test_the_list_of_contents_names_every_locked_library_at_its_version_and_the_system(images, image):
    listed = json.loads((images / image / "sbom.cdx.json").read_text())
    urls = [component["purl"] for component in listed["components"]]
    python = {
        canonicalize_name(name): version
        for name, version in (re.findall(r"^pkg:pypi/([^@]+)@(.+)$", url)[0] for url in urls if "pypi" in url)
    }
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (images / image / "requirements.txt").read_text(), re.MULTILINE))
    assert {name: python.get(canonicalize_name(name)) for name in locked} == locked
    assert set(python) - set(map(canonicalize_name, locked)) == {"patina"}
    assert sum(url.startswith("pkg:deb/") for url in urls) > 50


def test_the_benchmark_gives_the_same_results_in_containers_as_in_processes(images, tmp_path):
    contained, direct = run(tmp_path / "docker", "--engine", "docker"), run(tmp_path / "subprocess")
    place = Path("artifacts/evaluate-unet-resnet10t/evaluation/confusion.parquet")
    assert pq.read_table(contained / place).num_rows > 0
    assert (contained / place).read_bytes() == (direct / place).read_bytes()
    assert client("ps", "--all", "--quiet", "--filter", f"label={docker_engine.RUN_LABEL}={contained.name}").stdout == ""
