import hashlib
import json
import logging
import shutil
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from gateway import Gateway

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.bucket_index import Index, IndexedFile, fetch_data, fetch_encoders, object_key, read_index
from patina.core.errors import DataRefused, PatinaError, StorageError, UsageError
from patina_pipelines.mirror import mirror


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty files in two folders, one twice."""
    root = tmp_path / "scans"
    for number in range(20):
        path = root / ("images" if number % 2 else "masks") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture %d" % (number % 19))
    (root / ".DS_Store").write_bytes(b"of the system")
    return root


def content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_folder_comes_back_as_it_was(folder: Path, url: str, patience: Patience, tmp_path: Path) -> None:
    done = mirror(str(folder), url, patience=patience)
    assert (done.files, done.sent) == (20, 19)  # one content occurs twice
    assert fetch_data(url, tmp_path / "back") == "folder scans"
    assert content(tmp_path / "back") == content(folder)


def test_a_second_mirror_sends_the_index_only(folder: Path, url: str, proxy: FaultProxy, patience: Patience) -> None:
    mirror(str(folder), url, patience=patience)
    before = proxy.count("PUT")
    assert mirror(str(folder), url, patience=patience).sent == 0
    assert proxy.count("PUT") - before == 1


def test_an_interrupted_mirror_is_no_mirror_and_goes_on_without_sending_anything_twice(
    folder: Path, url: str, proxy: FaultProxy, patience: Patience, tmp_path: Path
) -> None:
    proxy.meets("PUT", *[None] * 8, *[(403, "ExpiredToken")] * 20)
    with pytest.raises(StorageError, match="Renew the credentials"):
        mirror(str(folder), url, patience=patience)
    with pytest.raises(DataRefused, match=r"holds no index\.json"):
        fetch_data(url, tmp_path / "back")
    proxy.meets("PUT")
    mirror(str(folder), url, patience=patience)
    sent = [path for method, path, _, status in proxy.book if method == "PUT" and status == 200]
    assert len(sent) == len(set(sent)) == 19 + 1
    fetch_data(url, tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)


def test_a_server_that_is_killed_in_the_middle_and_comes_back_loses_nothing(
    folder: Path, url: str, gateway: Gateway, proxy: FaultProxy, tmp_path: Path
) -> None:
    patience = Patience(deadline=20, first_wait=0.01, longest_wait=0.1, silence=2)

    class KillOnce(logging.Handler):
        """Kills the server when the fifth file was sent, and starts it again when somebody has failed to reach it."""

        sent = 0

        def emit(self, record: logging.LogRecord) -> None:
            self.sent += record.getMessage().startswith("sent ")
            if self.sent == 5:
                self.sent += 1
                gateway.kill()
            elif "again in" in record.getMessage() and gateway.dead:
                gateway.start()

    handler = KillOnce()
    logging.getLogger("patina").addHandler(handler)
    logging.getLogger("patina_pipelines").addHandler(handler)
    logging.getLogger("patina_pipelines").setLevel(logging.INFO)
    try:
        done = mirror(str(folder), url, patience=patience)
    finally:
        logging.getLogger("patina").removeHandler(handler)
        logging.getLogger("patina_pipelines").removeHandler(handler)
        logging.getLogger("patina_pipelines").setLevel(logging.NOTSET)
    assert done.sent == 19
    assert handler.sent > 5
    fetch_data(url, tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)


def test_a_changed_file_changes_the_index_and_leaves_the_old_object(folder: Path, url: str, patience: Patience, tmp_path: Path) -> None:
    mirror(str(folder), url, patience=patience)
    (folder / "images" / "01.png").write_bytes(b"another")
    assert mirror(str(folder), url, patience=patience).sent == 1
    fetch_data(url, tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)
    assert sum(1 for _ in Bucket(url, patience).listing("objects/")) == 20


def test_fetching_goes_on_where_it_was_interrupted(folder: Path, url: str, proxy: FaultProxy, patience: Patience, tmp_path: Path) -> None:
    mirror(str(folder), url, patience=patience)
    fetch_data(url, tmp_path / "back")
    (tmp_path / "back" / "images" / "01.png").write_bytes(b"picture")  # cut short
    before = proxy.count("GET")
    fetch_data(url, tmp_path / "back")
    objects = [path for method, path, _, _ in proxy.book if method == "GET" and "/objects/" in path]
    assert content(tmp_path / "back") == content(folder)
    assert len(objects) - 20 <= 2
    assert proxy.count("GET") - before < 20


def test_a_mirror_with_a_missing_object_is_refused(folder: Path, url: str, patience: Patience, tmp_path: Path) -> None:
    mirror(str(folder), url, patience=patience)
    Bucket(url, patience).remove([object_key(hashlib.sha256(b"picture 3").hexdigest())])
    with pytest.raises(DataRefused, match="has no object objects/"):
        fetch_data(url, tmp_path / "back")


@pytest.mark.parametrize(
    ("index", "complaint"),
    [
        (b"{", "is not a mirror's index"),
        (b'{"source": "x", "files": {}, "more": 1}', "unknown key 'more'"),
        (b'{"source": "x", "files": {}, "schema_version": 9}', "schema version 9, expected 1"),
        (b'{"source": "x", "files": {"data/../../up": {"bytes": 1, "sha256": "%s"}}}' % (b"0" * 64), "no name for an object"),
        (b'{"source": "x", "files": {}}', "mirrors no data set"),
    ],
)
def test_an_index_that_is_none_is_refused(index: bytes, complaint: str, url: str, patience: Patience, tmp_path: Path) -> None:
    Bucket(url, patience).put_bytes("index.json", index)
    with pytest.raises(DataRefused, match=complaint):
        fetch_data(url, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("source", "error", "complaint"),
    [
        ("none", UsageError, "nothing to mirror"),
        ("hf://somebody/else", UsageError, "is mirrored"),
        ("s3://bucket", UsageError, "is not known"),
        ("missing", DataRefused, "is no folder"),
    ],
)
def test_a_source_that_cannot_be_mirrored_is_refused(
    source: str, error: type[PatinaError], complaint: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=complaint):
        mirror(source, url)


def test_links_and_names_that_no_bucket_takes_are_refused(folder: Path, url: str, patience: Patience) -> None:
    (folder / "link.png").symlink_to(folder / "images" / "01.png")
    with pytest.raises(DataRefused, match="is a link"):
        mirror(str(folder), url, patience=patience)
    (folder / "link.png").unlink()
    (folder / "a\\b.png").write_bytes(b"")
    with pytest.raises(DataRefused, match="no name for an object"):
        mirror(str(folder), url, patience=patience)


def test_encoder_weights_are_found_by_the_hubs_client_without_a_network(url: str, patience: Patience, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    bucket = Bucket(url, patience)
    files = {}
    for name in ("timm/tiny.in1k/" + "a" * 40 + "/model.safetensors", "smp-hub/b0/" + "b" * 40 + "/config.json"):
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        bucket.put_bytes(object_key(sha256), name.encode())
        files[f"encoders/{name}"] = IndexedFile(bytes=len(name), sha256=sha256)
    bucket.put_bytes("index.json", json.dumps(Index(source="encoders", files=files).model_dump(mode="json")).encode())
    assert fetch_encoders(url, tmp_path / "all") == 2
    assert fetch_encoders(url, tmp_path / "one", ("timm/tiny.in1k",)) == 1
    for folder in ("all", "one"):
        found = hf_hub_download("timm/tiny.in1k", "model.safetensors", cache_dir=tmp_path / folder, local_files_only=True)
        assert Path(found).read_bytes().startswith(b"timm/tiny.in1k/")
    found = hf_hub_download("smp-hub/b0", "config.json", revision="b" * 40, cache_dir=tmp_path / "all", local_files_only=True)
    assert Path(found).is_file()


def test_the_index_does_not_depend_on_the_order_of_sending(folder: Path, url: str, patience: Patience) -> None:
    mirror(str(folder), url, patience=patience)
    first = Bucket(url, patience).read("index.json")
    other = Bucket(url + "-other", patience)
    copy = shutil.copytree(folder, folder.parent / "elsewhere" / "scans")
    mirror(str(copy), other.url, patience=patience)
    assert other.read("index.json") == first
    assert read_index(other) is not None
