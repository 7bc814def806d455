from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gateway import Gateway

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.bucket_index import fetch_data, object_key
from patina.core.errors import DataRefused
from patina_pipelines import prune
from patina_pipelines.mirror import mirror

KEY = "0" * 32


def keys(url: str, patience: Patience) -> list[str]:
    return [stored.key for stored in Bucket(url, patience).listing()]


@pytest.fixture
def bucket(url: str, patience: Patience, tmp_path: Path) -> Bucket:
    """A mirror with one leftover, five published runs of two pipelines' names, a training's states and a stranger's file."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    mirror(str(folder), f"{url}/mirror", patience=patience)
    (folder / "a.png").write_bytes(b"b")
    mirror(str(folder), f"{url}/mirror", patience=patience)
    bucket = Bucket(url, patience)
    for day in range(1, 6):
        bucket.put_bytes(f"reports/benchmark-2026010{day}T000000Z-00000{day}/report.html", b"report")
        bucket.put_bytes(f"reports/benchmark-2026010{day}T000000Z-00000{day}/published.json", b"{}")
    bucket.put_bytes(f"checkpoints/{KEY}/step-000000001.json", b"{}")
    bucket.put_bytes(f"checkpoints/{KEY}/{'a' * 64}.pt", b"tensors")
    bucket.put_bytes("thesis/final-final.docx", b"not ours")
    return bucket


def test_what_is_young_or_among_the_newest_stays(bucket: Bucket, patience: Patience) -> None:
    planned = prune.plan(bucket.url, keep=5, days=1, patience=patience)
    assert planned.candidates == ()
    assert planned.foreign == 1
    assert planned.kept == len(list(bucket.listing())) - 1


def test_what_nothing_refers_to_goes(bucket: Bucket, patience: Patience) -> None:
    planned = prune.plan(bucket.url, keep=3, days=0, patience=patience)
    assert [(candidate.name, len(candidate.keys)) for candidate in planned.candidates] == [
        (f"checkpoints/{KEY}/", 2),
        ("mirror/objects/", 1),
        ("reports/benchmark-20260101T000000Z-000001/", 2),
        ("reports/benchmark-20260102T000000Z-000002/", 2),
    ]


def test_planning_removes_nothing(bucket: Bucket, patience: Patience) -> None:
    before = keys(bucket.url, patience)
    prune.plan(bucket.url, keep=1, days=0, patience=patience)
    assert keys(bucket.url, patience) == before


def test_removing_leaves_a_mirror_that_can_be_read_and_what_is_not_ours(bucket: Bucket, patience: Patience, tmp_path: Path) -> None:
    prune.remove(bucket.url, prune.plan(bucket.url, keep=1, days=0, patience=patience), patience)
    left = keys(bucket.url, patience)
    assert [key for key in left if not key.startswith("mirror/")] == [
        "reports/benchmark-20260105T000000Z-000005/published.json",
        "reports/benchmark-20260105T000000Z-000005/report.html",
        "thesis/final-final.docx",
    ]
    fetch_data(f"{bucket.url}/mirror", tmp_path / "back")
    assert (tmp_path / "back" / "a.png").read_bytes() == b"b"
    assert prune.plan(bucket.url, keep=1, days=0, patience=patience).candidates == ()


def test_the_objects_of_an_interrupted_mirror_stay_while_they_are_young(bucket: Bucket, patience: Patience) -> None:
    bucket.put_bytes(f"unfinished/{object_key('c' * 64)}", b"c")
    assert prune.plan(bucket.url, keep=5, days=1, patience=patience).candidates == ()
    names = [candidate.name for candidate in prune.plan(bucket.url, keep=5, days=0, patience=patience).candidates]
    assert "unfinished/objects/" in names


def test_nothing_goes_beside_an_index_that_cannot_be_read(bucket: Bucket, patience: Patience) -> None:
    bucket.put_bytes("mirror/index.json", b"{")
    with pytest.raises(DataRefused, match="is not a mirror's index"):
        prune.plan(bucket.url, keep=5, days=0, patience=patience)


def test_one_fresh_state_keeps_a_training(bucket: Bucket, gateway: Gateway, patience: Patience) -> None:
    import os

    old = (datetime.now(UTC) - timedelta(days=30)).timestamp()
    folder = gateway.folder / bucket.name / "some" / "prefix" / "checkpoints" / KEY
    os.utime(folder / "step-000000001.json", (old, old))
    assert prune.plan(bucket.url, keep=5, days=7, patience=patience).candidates == ()
    os.utime(folder / f"{'a' * 64}.pt", (old, old))
    [gone] = prune.plan(bucket.url, keep=5, days=7, patience=patience).candidates
    assert gone.name == f"checkpoints/{KEY}/"
