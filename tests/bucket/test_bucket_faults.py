"""Rows 21, 22 and 24 of the fault matrix: what a bucket may do, and what becomes of it."""

import hashlib
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from gateway import ACCESS_KEY, SECRET_KEY, Gateway

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience, Waiting, seconds
from patina.core.errors import DataRefused, StorageError, UsageError

CONTENT = bytes(range(256)) * 8192  # 2 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def filled(url: str, patience: Patience, tmp_path: Path) -> Bucket:
    bucket = Bucket(url, patience)
    (tmp_path / "content").write_bytes(CONTENT)
    bucket.put_file(tmp_path / "content", "key", SHA256)
    return bucket


def fetch(bucket: Bucket, folder: Path) -> bytes:
    return bucket.fetch("key", folder / "fetched", size=len(CONTENT), sha256=SHA256).read_bytes()


PASSING = {
    "reset": "reset",
    "lost answer": "lost",
    "SlowDown": (503, "SlowDown"),
    "internal error": (500, "InternalError"),
    "gateway": (502, "BadGateway"),
    "too many": (429, "TooManyRequests"),
    "idle": (400, "RequestTimeout"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_passing_fault_is_survived_in_every_kind_of_request(fault: object, filled: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    for method in ("PUT", "DELETE") if fault == PASSING["idle"] else ("GET", "PUT", "DELETE"):  # "idle" says that a body did not come
        proxy.meets(method, fault, fault)
    filled.put_bytes("small", b"small")
    assert filled.read("small") == b"small"
    if fault != PASSING["idle"]:
        proxy.meets("GET", fault, fault)
    assert {stored.key for stored in filled.listing()} == {"key", "small"}
    filled.remove(["small"])
    assert filled.read("small") is None
    assert not any(proxy.faults.values())


DAMAGE = {
    "short body": ("short", 1_500_000),
    "silent in the middle": ("stall", 1_500_000),
    "one byte changed": "flipped",
    "reset": "reset",
}


@pytest.mark.parametrize("fault", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_body_that_arrives_damaged_is_fetched_again(fault: object, filled: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.meets("GET", fault)
    assert fetch(filled, tmp_path) == CONTENT


def test_a_broken_body_goes_on_after_its_last_whole_block(filled: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.meets("GET", ("short", 1_500_000))
    fetch(filled, tmp_path)
    assert [asked for method, path, asked, _ in proxy.book if method == "GET" and path.endswith("/key")] == ["", "bytes=1048576-"]


def test_a_server_that_knows_no_ranges_sends_from_the_beginning(filled: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    proxy.meets("GET", ("short", 1_500_000), "no range")
    assert fetch(filled, tmp_path) == CONTENT


def test_what_an_earlier_process_fetched_is_proven_and_not_fetched_again(filled: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    fetch(filled, tmp_path)
    before = proxy.count("GET")
    assert fetch(filled, tmp_path) == CONTENT
    assert proxy.count("GET") == before


def test_a_longer_part_of_another_object_is_not_believed(filled: Bucket, tmp_path: Path) -> None:
    (tmp_path / "fetched.part").write_bytes(b"something else" * 1_000_000)
    assert fetch(filled, tmp_path) == CONTENT


def test_an_object_that_stays_damaged_is_refused_after_three_bodies(
    filled: Bucket, gateway: Gateway, proxy: FaultProxy, tmp_path: Path
) -> None:
    stored = gateway.folder / filled.name / "some" / "prefix" / "key"
    stored.write_bytes(CONTENT[:-1] + b"!")
    before = proxy.count("GET")
    with pytest.raises(DataRefused, match=rf"expected {SHA256[:12]} \(3 attempts\)"):
        fetch(filled, tmp_path)
    assert proxy.count("GET") - before == 3
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("change", [CONTENT[:-1], CONTENT + b"!", b""], ids=["shorter", "longer", "empty"])
def test_an_object_of_another_size_is_refused_at_once(change: bytes, filled: Bucket, tmp_path: Path) -> None:
    filled.put_bytes("key", change)
    with pytest.raises(DataRefused, match=f"has {len(change)} bytes, expected {len(CONTENT)}"):
        fetch(filled, tmp_path)


def test_an_object_that_is_gone_is_refused_by_name(filled: Bucket, tmp_path: Path) -> None:
    filled.remove(["key"])
    with pytest.raises(DataRefused, match="has no object key"):
        fetch(filled, tmp_path)


def test_a_byte_that_changes_on_the_way_up_is_noticed_by_the_server_and_sent_again(
    filled: Bucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.meets("PUT", "flipped request")
    filled.put_file(tmp_path / "content", "second", SHA256)
    assert filled.fetch("second", tmp_path / "second", size=len(CONTENT), sha256=SHA256).read_bytes() == CONTENT
    assert proxy.count("PUT") == 2  # the first one was refused: it is not counted


@pytest.mark.parametrize("fault", [(503, "SlowDown"), "reset"], ids=["SlowDown", "reset"])
def test_the_deadline_ends_the_attempts(fault: object, filled: Bucket, proxy: FaultProxy) -> None:
    bucket = Bucket(filled.url, Patience(deadline=0.2, first_wait=0.01, longest_wait=0.02, silence=1))
    proxy.meets("PUT", *[fault] * 200)
    with pytest.raises(StorageError, match=r"cannot write small at s3://.*attempts in 0\.2 s"):
        bucket.put_bytes("small", b"small")
    assert proxy.faults["PUT"]


def test_waits_grow_and_are_spread_by_chance_up_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("patina.core.bucket_access.time.sleep", waits.append)
    waiting = Waiting(Patience(deadline=100, first_wait=1, longest_wait=6))
    for _ in range(6):
        waiting.failed("GET /", "reset")
    waiting.failed("GET /", "SlowDown", asked=60)
    for wait, longest in zip(waits, [1, 2, 4, 6, 6, 6, 6], strict=True):
        assert longest / 2 <= wait <= longest
    assert waits[-1] == 6
    assert len(set(waits)) > 3


@pytest.mark.parametrize(("text", "asked"), [("7", 7), ("", 0), ("-1", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("²", 0)])
def test_only_plain_seconds_of_retry_after_are_followed(text: str, asked: float) -> None:
    assert seconds(text) == asked


def test_a_server_that_is_not_there_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    with pytest.raises(StorageError, match=r"connection refused or unreachable; .* attempts in 0\.1 s") as refused:
        Bucket(url, Patience(deadline=0.1, first_wait=0.01, longest_wait=0.02, silence=1))
    assert f"(server {address})" in str(refused.value)


def test_a_name_that_does_not_resolve_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://no-such-host.invalid")
    with pytest.raises(StorageError, match="the server's name is not known"):
        Bucket(url, Patience(deadline=0.05, first_wait=0.01, longest_wait=0.02, silence=1))


def test_a_bucket_that_does_not_exist_fails_at_once(url: str, proxy: FaultProxy) -> None:
    with pytest.raises(StorageError, match="there is no bucket none-such") as refused:
        Bucket("s3://none-such/prefix")
    assert len(proxy.book) == 1
    assert "\n" not in str(refused.value)


REFUSALS = [
    (403, "ExpiredToken"),
    (400, "ExpiredToken"),
    (403, "InvalidAccessKeyId"),
    (403, "SignatureDoesNotMatch"),
    (401, "Unauthorized"),
    (403, "New"),
]


@pytest.mark.parametrize("answer", REFUSALS, ids=lambda answer: f"{answer[0]} {answer[1]}")
def test_refused_credentials_fail_at_once_whatever_the_server_calls_it(answer: tuple[int, str], filled: Bucket, proxy: FaultProxy) -> None:
    proxy.meets("PUT", answer, None)
    with pytest.raises(StorageError, match=f"refused with {answer[1]}.*Renew the credentials"):
        filled.put_bytes("small", b"small")
    assert list(proxy.faults["PUT"]) == [None]


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ((403, "RequestTimeTooSkewed"), "Set this machine's clock"),
        ((400, "EntityTooLarge"), "EntityTooLarge, status 400"),
        ((301, "PermanentRedirect"), "no bucket"),
    ],
)
def test_other_refusals_fail_at_once_with_a_remedy_of_their_own(
    answer: tuple[int, str], remedy: str, filled: Bucket, proxy: FaultProxy
) -> None:
    proxy.meets("PUT", answer, None)
    with pytest.raises(StorageError, match=remedy):
        filled.put_bytes("small", b"small")
    assert list(proxy.faults["PUT"]) == [None]


def test_a_wrong_secret_fails_at_once(url: str, credentials: Path, proxy: FaultProxy) -> None:
    credentials.write_text(credentials.read_text().replace(SECRET_KEY, "wrong"))
    with pytest.raises(StorageError, match="Renew the credentials"):
        Bucket(url)
    assert len(proxy.book) == 1


def test_credentials_that_are_renewed_in_their_file_are_used_from_then_on(filled: Bucket, credentials: Path) -> None:
    right = credentials.read_text()
    credentials.write_text(right.replace(SECRET_KEY, "wrong"))
    with pytest.raises(StorageError, match="Renew the credentials"):
        filled.put_bytes("small", b"small")
    credentials.write_text(right)
    filled.put_bytes("small", b"small")
    assert filled.read("small") == b"small"


@pytest.mark.parametrize("content", [SECRET_KEY, f"[default]\naws_access_key_id = a\naws_secret_access_key = %({SECRET_KEY}"])
def test_a_file_of_credentials_that_cannot_be_read_is_not_quoted(content: str, url: str, credentials: Path) -> None:
    credentials.write_text(content)
    with pytest.raises(StorageError, match="file of credentials cannot be read") as refused:
        Bucket(url)
    assert refused.value.__cause__ is None
    assert "canary" not in str(refused.value)


def test_without_credentials_the_places_are_named(url: str, credentials: Path) -> None:
    credentials.unlink()
    with pytest.raises(StorageError, match="PATINA_S3_SECRET"):
        Bucket(url)


def test_a_mounted_secret_is_found(
    url: str, credentials: Path, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.unlink()
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text(ACCESS_KEY + "\n")
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text(SECRET_KEY + "\n")
    monkeypatch.setenv("PATINA_S3_SECRET", str(tmp_path))
    assert list(Bucket(url, patience).listing()) == []


@pytest.mark.parametrize(
    "endpoint", ["localhost:9000", "ftp://localhost", "http://localhost/path", "http://", "http://localhost:hush@localhost"]
)
def test_an_endpoint_that_is_none_is_refused_without_its_password(endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL") as refused:
        Bucket(url)
    assert "hush" not in str(refused.value)


def test_a_bundle_of_certificates_that_is_none_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(UsageError, match="AWS_CA_BUNDLE"):
        Bucket(url)


class Page(BaseHTTPRequestHandler):
    """A web server that is no S3 server, and repeats the request in its page."""

    def do_GET(self) -> None:
        body = f"<html>{self.headers}</html>".encode()
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


def test_a_server_of_another_kind_is_named_and_its_page_not_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StorageError, match="answers 404 without saying why") as refused:
            Bucket(url)
        server.shutdown()
    assert "Authorization" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.fixture
def tls(gateway: Gateway, credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server behind TLS with a certificate of its own; yields the certificate's file."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    proxy = FaultProxy(gateway.port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://localhost:{proxy.server_port}")
    yield certificate
    proxy.close()


def test_a_certificate_that_is_not_trusted_fails_at_once_and_names_the_remedy(tls: Path, gateway: Gateway) -> None:
    with pytest.raises(StorageError, match=r"certificate is not trusted .* set AWS_CA_BUNDLE"):
        Bucket(gateway.make_bucket("tls-refused"))


def test_an_authority_of_ones_own_is_trusted_when_it_is_named(
    tls: Path, gateway: Gateway, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tls))
    bucket = Bucket(gateway.make_bucket("tls-trusted"), patience)
    bucket.put_bytes("a", b"over TLS")
    assert bucket.read("a") == b"over TLS"
