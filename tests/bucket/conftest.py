"""A real S3 server, a proxy in front of it that stumbles, and credentials in a file."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode gives test folders no package: the modules beside are found here

from fault_proxy import FaultProxy
from gateway import ACCESS_KEY, SECRET_KEY, Gateway, versitygw

from patina.core.bucket_access import Patience

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(versitygw(), tmp_path_factory.mktemp("buckets"))
    yield running
    running.kill()


@pytest.fixture
def proxy(gateway: Gateway) -> Iterator[FaultProxy]:
    running = FaultProxy(gateway.port)
    yield running
    running.close()


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of credentials, and nothing else that an S3 client might find."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "PATINA_S3_SECRET", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "credentials"
    path.write_text(f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return path


@pytest.fixture
def url(gateway: Gateway, proxy: FaultProxy, credentials: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket behind the proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    return gateway.make_bucket(f"test-{next(NUMBERS)}") + "/some/prefix"


@pytest.fixture
def patience() -> Patience:
    """Long enough for several attempts, short enough for a test."""
    return Patience(deadline=2.0, first_wait=0.01, longest_wait=0.05, silence=0.3)
