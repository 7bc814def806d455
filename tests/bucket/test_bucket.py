import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from gateway import Gateway

from patina.core import bucket as bucket_module
from patina.core.bucket import Bucket, check_key, in_parallel
from patina.core.bucket_access import Patience
from patina.core.errors import DataRefused, UsageError

FIVE_MIB = 5 << 20  # the smallest part that S3 takes


def written(path: Path, content: bytes) -> tuple[Path, str]:
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "one byte", "1 MiB"])
def test_a_file_comes_back_as_it_was(content: bytes, url: str, patience: Patience, tmp_path: Path) -> None:
    path, sha256 = written(tmp_path / "file", content)
    bucket = Bucket(url, patience)
    bucket.put_file(path, f"objects/{sha256}", sha256)
    fetched = bucket.fetch(f"objects/{sha256}", tmp_path / "new" / "back", size=len(content), sha256=sha256)
    assert fetched.read_bytes() == content
    assert [(stored.key, stored.bytes) for stored in bucket.listing()] == [(f"objects/{sha256}", len(content))]


def test_a_large_file_goes_in_parts_and_a_broken_part_alone_is_sent_again(
    url: str, proxy: FaultProxy, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PART", FIVE_MIB)
    content = b"0123456789abcdef" * (FIVE_MIB // 16) * 2 + b"the rest"
    path, sha256 = written(tmp_path / "large", content)
    bucket = Bucket(url, patience)
    proxy.meets("PUT", None, "reset", (503, "SlowDown"))
    bucket.put_file(path, sha256, sha256)
    assert proxy.count("PUT") == 3
    assert proxy.put_bytes == len(content)
    assert bucket.fetch(sha256, tmp_path / "back", size=len(content), sha256=sha256).read_bytes() == content


@pytest.mark.parametrize("size", [1000, FIVE_MIB + 1000], ids=["one part", "two parts"])
def test_a_file_that_changed_after_it_was_hashed_never_appears(
    size: int, url: str, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PART", FIVE_MIB)
    path, _ = written(tmp_path / "file", b"a" * size)
    bucket = Bucket(url, patience)
    with pytest.raises(DataRefused, match="was changed while it was sent"):
        bucket.put_file(path, "key", hashlib.sha256(b"b").hexdigest())
    assert list(bucket.listing()) == []


def test_an_object_that_is_not_there_reads_as_none(url: str, patience: Patience) -> None:
    assert Bucket(url, patience).read("nothing") is None


def test_a_small_object_is_replaced_as_a_whole(url: str, patience: Patience) -> None:
    bucket = Bucket(url, patience)
    bucket.put_bytes("pointer", b"first")
    bucket.put_bytes("pointer", b"second")
    assert bucket.read("pointer") == b"second"


def test_put_new_does_not_overwrite(url: str, patience: Patience) -> None:
    bucket = Bucket(url, patience)
    assert bucket.put_new("once", b"first")
    assert not bucket.put_new("once", b"second")
    assert bucket.read("once") == b"first"


def test_of_many_writers_at_once_exactly_one_succeeds(url: str, patience: Patience) -> None:
    bucket = Bucket(url, patience)
    start = threading.Barrier(6)

    def write(number: int) -> bool:
        start.wait()
        return bucket.put_new("contested", f"writer {number}".encode())

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(write, range(6)))
    assert outcomes.count(True) == 1
    assert bucket.read("contested") == f"writer {outcomes.index(True)}".encode()


def test_put_new_knows_its_own_write_when_the_answer_was_lost(url: str, proxy: FaultProxy, patience: Patience) -> None:
    bucket = Bucket(url, patience)
    proxy.meets("PUT", "lost")
    assert bucket.put_new("once", b"mine")
    assert [status for method, _, _, status in proxy.book if method == "PUT"] == [200, 412]


def test_two_writers_of_a_content_addressed_key_leave_it_whole(url: str, patience: Patience, tmp_path: Path) -> None:
    path, sha256 = written(tmp_path / "file", b"the same bytes" * 1000)
    bucket = Bucket(url, patience)
    in_parallel(lambda _: bucket.put_file(path, sha256, sha256), range(4))
    assert bucket.fetch(sha256, tmp_path / "back", size=14000, sha256=sha256).is_file()


def test_listing_goes_beyond_one_page_and_stays_below_the_prefix(url: str, gateway: Gateway, patience: Patience) -> None:
    root, beside = Bucket(url, patience), Bucket(url + "-beside", patience)
    beside.put_bytes("foreign", b"")
    root.put_bytes("a", b"")
    folder = gateway.folder / root.name / "some" / "prefix"
    for number in range(1100):  # the server's folder is its bucket
        (folder / f"n{number:04d}").touch()
    assert [stored.key for stored in root.listing()] == ["a", *(f"n{number:04d}" for number in range(1100))]
    assert [stored.key for stored in root.listing("n109")] == [f"n{number:04d}" for number in range(1090, 1100)]


def test_removing_what_is_gone_is_no_fault(url: str, patience: Patience) -> None:
    bucket = Bucket(url, patience)
    bucket.put_bytes("a", b"")
    bucket.remove(["a", "b"])
    bucket.remove(["a"])
    assert list(bucket.listing()) == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\\b", "a?b", "a#b", "a%2e%2e", "a\nb", "x" * 201])
def test_keys_that_lead_elsewhere_are_refused(key: str) -> None:
    with pytest.raises(DataRefused, match="no name for an object"):
        check_key(key)


@pytest.mark.parametrize(
    "address", ["s3:/bucket", "s3://", "s3://ab", "s3://Upper", "s3://bucket/a?x", "http://example.org/a", "s3://user:pass@bucket/a"]
)
def test_an_address_that_names_no_bucket_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(UsageError, match=r"Expected s3://bucket or s3://bucket/prefix\.") as refused:
        Bucket(address)
    assert "pass" not in str(refused.value)


def test_a_bucket_shows_its_address_only(url: str, patience: Patience) -> None:
    assert repr(Bucket(url, patience)) == f"Bucket('{url}')"


def test_in_parallel_keeps_the_order() -> None:
    assert in_parallel(lambda number: number**2, range(100)) == [number**2 for number in range(100)]


def test_after_an_error_nothing_more_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "PARALLEL", 1)
    done: list[int] = []
    with pytest.raises(ValueError, match="invalid literal"):
        in_parallel(lambda text: done.append(int(text)), ["0", "1", "not a number", "3"])
    assert done == [0, 1]
