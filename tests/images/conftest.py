"""A Docker engine with the project's images, for tests that were asked for: they take minutes and 20 GB."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = "local/python:3.11-bookworm"
START_SECONDS = 60


def client(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Runs Debian's own client; a newer one would want plugins."""
    return subprocess.run([docker(), *arguments], capture_output=True, text=True, check=False, **options)


def docker() -> str:
    return os.environ.get("DOCKER") or ("/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker")


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """A Docker engine: the one that DOCKER_HOST names, or one of the tests' own, which is stopped after them."""
    if not os.environ.get("PATINA_TEST_IMAGES"):
        pytest.skip("Docker: not asked for (PATINA_TEST_IMAGES=1): building and running the images takes minutes and 20 GB")
    if os.environ.get("DOCKER_HOST"):
        yield
        return
    if os.getuid() != 0 or any(shutil.which(tool) is None for tool in ("dockerd", "debootstrap")):
        pytest.skip("Docker: needs root, dockerd and debootstrap, or DOCKER_HOST with an engine")
    home = tmp_path_factory.mktemp("docker")
    address = f"unix://{home / 'sock'}"
    folders = ("--data-root", home / "data", "--exec-root", home / "exec", "-p", home / "pid")
    with (home / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        daemon = subprocess.Popen(["dockerd", "-H", address, *folders, "--bridge=none", "--iptables=false"], stdout=log, stderr=log)
        try:
            patch.setenv("DOCKER_HOST", address)
            patch.setenv("DOCKER", docker())
            _await(daemon, home / "log")
            _import_base(home / "root")
            yield
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)


@pytest.fixture(scope="session")
def images(engine) -> Path:
    """Both images, built by images/build.sh with its options from PATINA_TEST_BUILD; returns the folder `images`."""
    extra = os.environ.get("PATINA_TEST_BUILD", "").split()
    command = [ROOT / "images" / "build.sh", "--base", BASE, *extra]
    built = subprocess.run(command, env={**os.environ, "DOCKER": docker()}, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return ROOT / "images"


def _await(daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while client("version").returncode:
        assert daemon.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]


def _import_base(root: Path) -> None:
    """Makes the base image from Debian's packages: no registry is needed."""
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", packages, "bookworm", root], check=True, capture_output=True)
    for folder in (root / "var/cache/apt", root / "var/lib/apt/lists"):
        shutil.rmtree(folder)
        folder.mkdir()
    archive = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    made = client("import", "-", BASE, stdin=archive.stdout)
    assert archive.wait() == 0
    assert made.returncode == 0, made.stderr
