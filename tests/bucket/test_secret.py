"""A canary in the credentials: whatever goes well or wrong, it is seen nowhere."""

import base64
import logging
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import torch
from fault_proxy import FaultProxy
from gateway import ACCESS_KEY, SECRET_KEY, Gateway

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.bucket_index import fetch_data
from patina.core.errors import PatinaError
from patina.train.checkpoints import BucketStore
from patina_pipelines import prune
from patina_pipelines.mirror import mirror

TOKEN = "canary/session+token=="  # noqa: S105 - likewise a canary


def forms(secret: str) -> list[bytes]:
    """`secret` as it might be written: plain, URL-encoded, and base64 wherever it begins in a longer text."""
    shifted = [base64.b64encode(b" " * shift + secret.encode())[4 if shift else 0 : -4] for shift in range(3)]
    return [
        secret.encode(),
        quote(secret).encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        repr(secret)[1:-1].encode(),
        *shifted,
    ]


CANARIES = [form for secret in (ACCESS_KEY, SECRET_KEY, TOKEN) for form in forms(secret)]


@pytest.mark.parametrize("text", [SECRET_KEY, quote(SECRET_KEY), base64.b64encode(f"ab {SECRET_KEY} and more".encode()).decode()])
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert any(form in text.encode() for form in CANARIES)


def test_no_credential_is_in_any_log_error_or_object(
    url: str,
    gateway: Gateway,
    proxy: FaultProxy,
    credentials: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    short = Patience(deadline=0.1, first_wait=0.01, longest_wait=0.02, silence=0.3)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    folder = tmp_path / "scratch" / "data"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"a" * 1000)
    told: list[str] = []
    failed = 0

    def everything() -> None:
        nonlocal failed
        for action in (
            lambda: told.append(repr(mirror(str(folder), url, patience=short))),
            lambda: fetch_data(url, tmp_path / "scratch" / "back", short),
            lambda: told.append(repr(prune.plan(url, days=0, patience=short))),
            lambda: told.append(repr(Bucket(url, short)) + str(vars(Bucket(url, short)))),
            lambda: told.append(str(Bucket(url, short).put_new("once", b"x"))),
            train,
        ):
            try:
                action()
            except PatinaError as error:
                failed += 1
                told.extend(traceback.format_exception(error))
                told.extend(map(repr, (error, error.__cause__, error.__context__)))

    def train() -> None:
        with BucketStore(url, {"seed": 0}, short) as store:
            told.append(repr(store))
            store.save(1, {"weights": torch.zeros(3)})

    everything()
    assert failed == 0
    for fault in ("reset", (503, "SlowDown"), (403, "ExpiredToken"), (403, "SignatureDoesNotMatch"), (404, "NoSuchBucket"), ("short", 20)):
        for method in ("GET", "PUT", "DELETE"):
            proxy.meets(method, None, *[fault] * 500)
        everything()
    proxy.faults.clear()
    with credentials.open("a") as stream:
        stream.write(f"aws_session_token = {TOKEN}\n")  # the server knows no such token
    everything()
    right = credentials.read_text().partition("aws_session_token")[0]
    credentials.write_text(f"{SECRET_KEY}\n{ACCESS_KEY}\n{TOKEN}\n")  # not a file of credentials
    everything()
    assert failed > 20
    credentials.write_text(right)
    places = [gateway.folder / Bucket(url, short).name, tmp_path / "scratch"]
    credentials.unlink()
    texts = [*told, caplog.text, *(str(record.__dict__) for record in caplog.records)]
    seen = [text.encode() for text in texts] + [Path(f"{gateway.folder}.log").read_bytes()]
    for path in (path for place in places for path in place.rglob("*")):
        seen += [path.name.encode(), path.read_bytes() if path.is_file() else b""]
    assert len(seen) > 50
    assert [form for form in CANARIES if any(form in text for text in seen)] == []
