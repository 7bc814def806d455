"""A killed stage goes on where it was, and nobody can tell from the result."""

import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from patina.augment import stage
from patina.augment.journal import Journal
from patina.core.artifact import read_manifest
from patina.core.errors import StorageError
from patina.core.tiles import TileRecord

SETTINGS = json.dumps(
    {"windows_per_picture": 4, "copies": {"light": 1, "medium": 1, "heavy": 1}, "rare_below": 0.02, "paste": {"probability": 1}}
)


# A process of its own: a fork of this one would inherit pyarrow's locks without its threads.
KILLED = """
import os, signal, sys
from types import SimpleNamespace
from patina.augment import journal, stage
journal.SYNC_SECONDS = 0
stage.provenance.source_digest = lambda: "0" * 64
raw, splits, tiles, settings, pictures = sys.argv[1:]
def report(done, total, unit):
    if done == int(pictures):
        os.kill(os.getpid(), signal.SIGKILL)
stage.run(raw, splits, tiles, tile_size=32, settings=settings, progress=SimpleNamespace(report=report))
"""


def kill(pictures, data, folder):
    child = subprocess.run([sys.executable, "-c", KILLED, *map(str, data), str(folder), SETTINGS, str(pictures)], check=False)
    assert child.returncode == -signal.SIGKILL


def stop(pictures, data, folder):
    """Ends a run in this process after `pictures`, as a keyboard would."""

    def report(done, total, unit):
        if done == pictures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(*data, folder, tile_size=32, settings=SETTINGS, progress=SimpleNamespace(report=report))


def unfinished(folder):
    return folder.parent / f".{folder.name}.unfinished"


@pytest.fixture
def counted(monkeypatch):
    """Ids of the pictures that are cut."""
    # A child that starts while somebody edits the package would else not agree with this process about the code.
    monkeypatch.setattr(stage.provenance, "source_digest", lambda: "0" * 64)
    cut = []
    original = stage.cut_picture
    monkeypatch.setattr(stage, "cut_picture", lambda row, *rest: (cut.append(row.id), original(row, *rest))[1])
    return cut


@pytest.fixture(scope="session")
def whole(make_data, pictures, tmp_path_factory):
    """The data, and the manifest of a run that nobody disturbed."""
    data = make_data(pictures, order="gfedcba")
    return data, stage.run(*data, tmp_path_factory.mktemp("whole") / "tiles", tile_size=32, settings=SETTINGS)


@pytest.mark.parametrize("number", [1, 4])
def test_after_a_kill_only_the_rest_is_made_and_the_bytes_are_the_same(whole, tmp_path, counted, number):
    data, undisturbed = whole
    kill(number, data, tmp_path / "tiles")
    assert not (tmp_path / "tiles" / "manifest.json").exists()
    again = stage.run(*data, tmp_path / "tiles", tile_size=32, settings=SETTINGS)
    assert len(counted) == 5 - number
    assert again.digest == undisturbed.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiles"]


def test_other_settings_start_anew(whole, tmp_path, counted):
    data, _ = whole
    stop(3, data, tmp_path / "tiles")
    counted.clear()
    stage.run(*data, tmp_path / "tiles", tile_size=32, seed=1, settings=SETTINGS)
    assert len(counted) == 5
    assert read_manifest(tmp_path / "tiles").config["seed"] == 1


@pytest.mark.parametrize("damage", ["torn line", "flipped byte", "short data"])
def test_what_a_power_cut_left_in_pieces_is_made_again(whole, tmp_path, counted, damage):
    data, undisturbed = whole
    stop(3, data, tmp_path / "tiles")
    counted.clear()
    folder = unfinished(tmp_path / "tiles")
    path = folder / ("journal.jsonl" if damage == "torn line" else "masks.bin")
    content = bytearray(path.read_bytes())
    if damage == "flipped byte":
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[:-5])
    again = stage.run(*data, tmp_path / "tiles", tile_size=32, settings=SETTINGS)
    assert len(counted) == 3
    assert again.digest == undisturbed.digest


def test_progress_counts_what_was_there(whole, tmp_path):
    data, _ = whole
    stop(3, data, tmp_path / "tiles")
    told = []
    listener = SimpleNamespace(report=lambda done, total, unit: told.append((done, total)))
    stage.run(*data, tmp_path / "tiles", tile_size=32, settings=SETTINGS, progress=listener)
    assert told == [(4, 5), (5, 5)]


def test_tiles_come_back_as_they_were_added(tmp_path):
    record = TileRecord("a", "g", "train", 2, "heavy", 1, 2, 8, 8, 0.5, [{"name": "blur", "sigma": 0.7}], ["b"])
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    mask = np.full((8, 8), 7, np.uint8)
    with Journal(tmp_path / "tiles", "key", 8) as first:
        first.add("none", [])
        first.add("a", [(image, mask, record)])
    with Journal(tmp_path / "tiles", "key", 8) as second:
        assert second.finished == ["a", "none"]
        ((read, labels, found),) = second.tiles("a")
        np.testing.assert_array_equal(read, image)
        np.testing.assert_array_equal(labels, mask)
        assert found == record
        second.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), Journal(tmp_path / "file" / "tiles", "key", 8):
        pass
