"""The states of a training in a bucket: row 23 of the fault matrix, and a bucket that is away for a while."""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fault_proxy import FaultProxy

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.errors import Interrupted, StorageError
from patina.train.checkpoints import BucketStore, CheckpointStore, open_store

IDENTITY = {"tiles": "a", "seed": 0}


def state(step: int) -> dict[str, object]:
    return {"weights": torch.full((100,), float(step)), "step": step, "history": [{"loss": 0.5}], "best": None}


def save_all(url: str, patience: Patience, *steps: int) -> str:
    """Saves `steps`, each as a process of its own would, and returns where."""
    where = url
    for step in steps:
        with BucketStore(url, IDENTITY, patience) as store:
            store.save(step, state(step))
            where = store.where
    return where


def newest_step(url: str, patience: Patience) -> object:
    with BucketStore(url, IDENTITY, patience) as store:
        newest = store.newest()
    return None if newest is None else newest["step"]


def objects(url: str, patience: Patience) -> list[str]:
    return [stored.key.partition("/")[2] for stored in Bucket(url, patience).listing()]


def test_the_newest_state_comes_back_whole(url: str, patience: Patience) -> None:
    save_all(url, patience, 3, 12, 100)
    with BucketStore(url, IDENTITY, patience) as store:
        found = store.newest()
    assert found is not None
    assert torch.equal(found.pop("weights"), torch.full((100,), 100.0))
    assert found == {"step": 100, "history": [{"loss": 0.5}], "best": None}


def test_a_fresh_store_has_nothing(url: str, patience: Patience) -> None:
    assert newest_step(url, patience) is None


def test_only_two_states_are_kept(url: str, patience: Patience) -> None:
    save_all(url, patience, 1, 2, 3, 4)
    names = objects(url, patience)
    assert [name for name in names if name.startswith("step-")] == ["step-000000003.json", "step-000000004.json"]
    assert sum(name.endswith(".pt") for name in names) == 2


def test_a_training_with_another_identity_does_not_see_them(url: str, patience: Patience) -> None:
    save_all(url, patience, 1)
    with BucketStore(url, IDENTITY | {"seed": 1}, patience) as other:
        assert other.newest() is None


def flip_a_bit(bucket: Bucket, pointer: str, payload: str) -> None:
    content = bytearray(bucket.read(payload) or b"")
    content[len(content) // 2] ^= 1
    bucket.put_bytes(payload, bytes(content))


def truncate(bucket: Bucket, pointer: str, payload: str) -> None:
    bucket.put_bytes(payload, (bucket.read(payload) or b"")[:-1])


def lose_it(bucket: Bucket, pointer: str, payload: str) -> None:
    bucket.remove([payload])


def garble_the_pointer(bucket: Bucket, pointer: str, payload: str) -> None:
    bucket.put_bytes(pointer, b"{")


def lead_the_pointer_elsewhere(bucket: Bucket, pointer: str, payload: str) -> None:
    bucket.put_bytes(pointer, json.dumps({"bytes": 1, "sha256": "../../secret"}).encode())


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, lose_it, garble_the_pointer, lead_the_pointer_elsewhere])
def test_a_damaged_newest_state_falls_back_to_the_one_before(
    damage: Callable[[Bucket, str, str], None], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    patience = Patience(deadline=0.2, first_wait=0.01, longest_wait=0.02, silence=1)
    bucket = Bucket(save_all(url, patience, 1, 2), patience)
    pointer = "step-000000002.json"
    damage(bucket, pointer, json.loads(bucket.read(pointer) or b"")["sha256"] + ".pt")
    with caplog.at_level(logging.WARNING):
        assert newest_step(url, patience) == 1
    assert "Trying the checkpoint before it" in caplog.text


def test_a_kill_between_tensors_and_pointer_leaves_the_state_before(url: str, proxy: FaultProxy, patience: Patience) -> None:
    save_all(url, patience, 1)
    proxy.meets("PUT", None, *[(403, "Stopped")] * 3)  # the tensors of step 2 arrive, the pointer does not
    save_all(url, patience, 2)
    assert newest_step(url, patience) == 1


def test_two_trainings_that_write_the_same_steps_leave_whole_states(url: str, patience: Patience) -> None:
    with BucketStore(url, IDENTITY, patience) as left, BucketStore(url, IDENTITY, patience) as right:
        for step in range(1, 5):
            left.save(step, state(step) | {"writer": "left"})
            right.save(step, state(step) | {"writer": "right"})
    with BucketStore(url, IDENTITY, patience) as store:
        found = store.newest()
    assert found is not None
    assert found["step"] == 4


def test_saving_returns_while_the_bucket_is_away_and_the_next_state_is_sent_when_it_is_back(
    url: str, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    patience = Patience(deadline=0.05, first_wait=0.01, longest_wait=0.02, silence=1)
    gave_up = threading.Event()
    logging.getLogger("patina.train.checkpoints").addFilter(watch := lambda record: gave_up.set() or True)
    try:
        with BucketStore(url, IDENTITY, patience) as store:
            proxy.meets("PUT", *["reset"] * 1000)
            store.save(1, state(1))
            assert gave_up.wait(10)
            proxy.meets("PUT")
            store.save(2, state(2))
    finally:
        logging.getLogger("patina.train.checkpoints").removeFilter(watch)
    assert "The training goes on" in caplog.text
    assert newest_step(url, patience) == 2


def train(url: str, patience: Patience, proxy: FaultProxy, faults: list[object], step: int, end: Exception) -> None:
    """Goes on from the newest state, saves `step` while PUT meets `faults`, and ends with `end`."""
    with BucketStore(url, IDENTITY, patience) as store:
        store.newest()
        proxy.meets("PUT", *faults)
        store.save(step, state(step))
        raise end


def test_the_end_insists_on_the_last_state(url: str, proxy: FaultProxy, patience: Patience) -> None:
    with pytest.raises(Interrupted, match="its state is saved"):
        train(url, patience, proxy, ["reset"] * 5, 1, Interrupted("its state is saved"))
    assert newest_step(url, patience) == 1


def test_an_interruption_tells_which_state_is_there_when_the_last_one_did_not_arrive(
    url: str, proxy: FaultProxy, patience: Patience
) -> None:
    save_all(url, patience, 7)
    with pytest.raises(Interrupted, match=r"did not reach s3://.*, the one of step 7 is there") as told:
        train(url, patience, proxy, [(403, "ExpiredToken")] * 10, 8, Interrupted("its state is saved"))
    assert told.value.exit_code == 75


def test_a_failure_of_the_training_is_not_hidden_by_one_of_the_bucket(url: str, proxy: FaultProxy, patience: Patience) -> None:
    with pytest.raises(ZeroDivisionError):
        train(url, patience, proxy, [(403, "ExpiredToken")] * 10, 1, ZeroDivisionError())


def test_a_bucket_that_cannot_be_read_at_the_start_ends_the_training(url: str, proxy: FaultProxy, patience: Patience) -> None:
    save_all(url, patience, 1)
    proxy.meets("GET", None, *[(403, "ExpiredToken")] * 10)
    with pytest.raises(StorageError, match="cannot list"):
        newest_step(url, patience)


def test_a_finished_training_leaves_nothing_in_the_bucket_or_here(
    url: str, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with BucketStore(url, IDENTITY, patience) as store:
        store.save(1, state(1))
        store.clear()
    assert objects(url, patience) == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_finished_training_is_not_failed_by_leftovers(
    url: str, proxy: FaultProxy, patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    with BucketStore(url, IDENTITY, patience) as store:
        proxy.meets("GET", *[(403, "AccessDenied")] * 10)
        store.clear()
    assert "left over" in caplog.text


def test_a_store_is_opened_by_its_address(url: str, tmp_path: Path) -> None:
    with open_store(url, IDENTITY) as there, open_store(str(tmp_path), IDENTITY) as here:
        assert isinstance(there, BucketStore)
        assert there.where.startswith(f"{url}/")
        assert type(here) is CheckpointStore
        assert here.where == str(here.folder)
