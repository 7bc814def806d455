import logging
from pathlib import Path

import pytest
import torch

from patina.core.errors import StorageError
from patina.train.checkpoints import CheckpointStore

IDENTITY = {"tiles": "a", "seed": 0}


def state(step: int) -> dict[str, object]:
    return {"weights": torch.full((100,), float(step)), "step": step, "history": [{"loss": 0.5}], "best": None}


def store_with(folder: Path, *steps: int) -> CheckpointStore:
    store = CheckpointStore(folder, IDENTITY)
    for step in steps:
        store.save(step, state(step))
    return store


def newest_step(folder: Path) -> int | None:
    newest = CheckpointStore(folder, IDENTITY).newest()
    return None if newest is None else newest["step"]


def test_the_newest_state_comes_back_whole(tmp_path: Path) -> None:
    store_with(tmp_path, 3, 12, 100)
    found = CheckpointStore(tmp_path, IDENTITY).newest()
    assert found is not None
    assert torch.equal(found.pop("weights"), torch.full((100,), 100.0))
    assert found == {"step": 100, "history": [{"loss": 0.5}], "best": None}


def test_a_fresh_store_has_nothing(tmp_path: Path) -> None:
    assert newest_step(tmp_path) is None


def test_only_two_states_are_kept(tmp_path: Path) -> None:
    store = store_with(tmp_path, 1, 2, 3, 4)
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "step-000000003.json",
        "step-000000003.pt",
        "step-000000004.json",
        "step-000000004.pt",
    ]


def test_a_training_with_another_identity_does_not_see_them(tmp_path: Path) -> None:
    store_with(tmp_path, 1)
    assert CheckpointStore(tmp_path, IDENTITY | {"seed": 1}).newest() is None
    assert CheckpointStore(tmp_path, dict(reversed(IDENTITY.items()))).newest() is not None


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lose_its_digest(path: Path) -> None:
    path.with_suffix(".json").unlink()


def garble_its_digest(path: Path) -> None:
    path.with_suffix(".json").write_text("{")


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, lose_its_digest, garble_its_digest])
def test_a_damaged_newest_state_falls_back_to_the_one_before(damage, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(store_with(tmp_path, 1, 2).folder / "step-000000002.pt")
    with caplog.at_level(logging.WARNING):
        assert newest_step(tmp_path) == 1
    assert "Trying the checkpoint before it" in caplog.text


def test_without_any_whole_state_the_training_starts_over(tmp_path: Path) -> None:
    folder = store_with(tmp_path, 1, 2).folder
    for path in folder.glob("*.pt"):
        truncate(path)
    assert newest_step(tmp_path) is None


def test_what_a_killed_writer_left_is_removed_and_never_read(tmp_path: Path) -> None:
    folder = store_with(tmp_path, 1).folder
    half = folder / ".step-000000002.pt.abc.tmp"
    half.write_bytes(b"half")
    assert newest_step(tmp_path) == 1
    assert not half.exists()


def test_a_write_that_fails_keeps_the_old_state(tmp_path: Path) -> None:
    store = store_with(tmp_path, 1)
    store.folder.chmod(0o500)
    try:
        (store.folder / "probe").touch()
    except PermissionError:
        with pytest.raises(StorageError, match="cannot write"):
            store.save(2, state(2))
    else:
        (store.folder / "probe").unlink()
        (store.folder / "step-000000002.pt").mkdir()  # root may write anywhere, but not rename a file onto a folder
        store.folder.chmod(0o700)
        with pytest.raises(StorageError, match="cannot write"):
            store.save(2, state(2))
        (store.folder / "step-000000002.pt").rmdir()
    store.folder.chmod(0o700)
    assert newest_step(tmp_path) == 1
    assert not list(store.folder.glob(".*.tmp"))


def test_a_pickle_with_code_in_it_is_not_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    store = store_with(tmp_path, 1)
    store.save(2, {"trap": Trap()})
    with pytest.raises(Exception, match="Weights only load failed"):
        store.newest()
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make the"):
        CheckpointStore(tmp_path / "file", IDENTITY)


def test_a_finished_training_leaves_nothing(tmp_path: Path) -> None:
    store_with(tmp_path, 1).clear()
    assert list(tmp_path.iterdir()) == []
