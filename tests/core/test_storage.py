import errno
import hashlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.core import storage
from patina.core.errors import DataRefused, StorageError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_the_block_has_ended(tmp_path):
    with storage.atomic_file(tmp_path / "model.bin") as stream:
        stream.write(b"weights")
        stream.flush()
        assert not (tmp_path / "model.bin").exists()
    assert (tmp_path / "model.bin").read_bytes() == b"weights"
    assert names(tmp_path) == ["model.bin"]


@pytest.mark.parametrize("failure", [RuntimeError("model broke"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "model.bin"
    storage.write_bytes(path, b"old")

    def stop_half_way():
        with storage.atomic_file(path) as stream:
            stream.write(b"half of the n")
            raise failure

    with pytest.raises(type(failure)):
        stop_half_way()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.bin"]


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, monkeypatch, call):
    path = tmp_path / "model.bin"
    storage.write_bytes(path, b"old")

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match=r"model.bin: No space left on device. Free space"):
        storage.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.bin"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.bin"
    storage.write_bytes(path, b"old")
    script = """
import os, pathlib, signal, sys
from patina.core.storage import atomic_file
with atomic_file(pathlib.Path(sys.argv[1])) as stream:
    stream.write(b"half of the n")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == -9
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_a_storage_error_that_names_the_file(tmp_path):
    with pytest.raises(StorageError, match=r"nowhere.*model.bin"):
        storage.write_bytes(tmp_path / "nowhere" / "model.bin", b"")


def test_written_files_can_be_read_by_others(tmp_path):
    # A pod of another user id mounts the folder; temporary files are private by default.
    storage.write_bytes(tmp_path / "model.bin", b"")
    assert (tmp_path / "model.bin").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_without_a_standard_form_is_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "metrics.json", {"miou": value})
    assert names(tmp_path) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
)


@given(content=json_values)
def test_json_comes_back_as_it_was_written(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "content.json"
    storage.write_json(path, content)
    assert storage.read_json(path) == content


@given(content=st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, min_size=2, max_size=5))
def test_the_digest_of_a_content_does_not_depend_on_the_order_of_keys(content):
    assert storage.digest_of(dict(reversed(content.items()))) == storage.digest_of(content)


def test_digests_tell_different_contents_apart():
    contents = [{}, [], None, 0, False, "", "0", {"a": 1}, {"a": "1"}, {"a": [1]}, {"a": {"b": 1}}, [1, 2], [2, 1]]
    assert len({storage.digest_of(content) for content in contents}) == len(contents)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "not text", "deep"])
def test_what_is_not_json_is_refused_by_name(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(DataRefused, match=r"broken.json should be a JSON file"):
        storage.read_json(tmp_path / "broken.json")


def test_a_missing_json_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataRefused, match=r"absent.json"):
        storage.read_json(tmp_path / "absent.json")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_the_digest_of_all_its_bytes(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "blob").write_bytes(content)
    assert storage.sha256_file(tmp_path / "blob") == hashlib.sha256(content).hexdigest()
