"""The manifests as kustomize renders them, and a real API server to send them to."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # importlib mode gives test folders no package: `pods` is found here

MANIFESTS = HERE.parents[1] / "manifests"
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patina-tools"
SCRIPT = HERE / "kube-api"


@pytest.fixture(scope="session")
def tools() -> Path:
    """Folder of kubectl, kube-apiserver and etcd; built once per machine, which takes minutes."""
    if not all((TOOLS / "bin" / name).exists() for name in ("etcd", "kube-apiserver", "kubectl")):
        if shutil.which("go") is None:
            pytest.skip(f"Go: not installed, and kube-apiserver is not in {TOOLS}")
        built = subprocess.run([SCRIPT, "build", TOOLS], check=False, capture_output=True, text=True)
        if built.returncode:
            pytest.skip(f"Go: kube-apiserver could not be built: {built.stderr.strip()[-300:]}")
    return TOOLS


@pytest.fixture(scope="session")
def render(tools):
    """Function from a folder of `manifests` to the YAML text that `kustomize build` (here: kubectl's own kustomize) makes of it."""
    texts = {}

    def text(folder: str) -> str:
        if folder not in texts:
            command = [tools / "bin" / "kubectl", "kustomize", MANIFESTS / folder]
            texts[folder] = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return texts[folder]

    return text


@pytest.fixture(scope="session")
def objects(render):
    """Function from a folder of `manifests` to its rendered objects."""
    return lambda folder: list(yaml.safe_load_all(render(folder)))


@dataclass(frozen=True)
class Cluster:
    """A running API server and its administrator's kubectl."""

    kubectl: Path
    kubeconfig: Path

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        # a cache of its own: the one in the home folder may hold what an earlier server on this port offered
        command = [self.kubectl, "--kubeconfig", self.kubeconfig, "--cache-dir", self.kubeconfig.parent / "cache", *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, input=given)

    def must(self, *arguments: str, given: str = "") -> str:
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def accept_quota(self, namespace: str, name: str):
        """Sets the quota's usage to nothing, which is a controller's work elsewhere: without a status the server refuses every pod."""
        quota = json.loads(self.must("get", "resourcequota", name, "-n", namespace, "-o", "json"))
        status = {"status": {"hard": quota["spec"]["hard"], "used": dict.fromkeys(quota["spec"]["hard"], "0")}}
        patch = ["patch", "resourcequota", name, "-n", namespace, "--subresource=status", "--type=merge"]
        self.must(*patch, "-p", json.dumps(status))


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def cluster(tools, render, tmp_path_factory):
    """An API server that holds the overlay `gpu-pools`, as a cluster's administrator would have applied it."""
    folder = tmp_path_factory.mktemp("kube-api")
    api, etcd = free_ports(2)
    environment = os.environ | {"KUBE_API_PORT": str(api), "ETCD_PORT": str(etcd)}
    try:
        subprocess.run([SCRIPT, "up", tools, folder], check=True, env=environment, stdout=subprocess.DEVNULL)
        running = Cluster(tools / "bin" / "kubectl", folder / "kubeconfig")
        running.must("apply", "-f", str(HERE / "crds"))
        running.must("wait", "--for=condition=Established", "--timeout=30s", "-f", str(HERE / "crds"))
        running.must("create", "namespace", "kubeflow")
        running.must("apply", "-f", "-", given=render("overlays/gpu-pools"))
        running.accept_quota("patina", "patina")
        yield running
    finally:
        subprocess.run([SCRIPT, "down", folder], check=True)
