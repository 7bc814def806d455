"""The hub is played by a server on this machine that speaks its protocol and stumbles as networks do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import RESOLVE, TREE, Hub, Proxy, serving, sha256
from huggingface_hub import close_session, constants
from shards import record, write_shard

from patina.core.errors import DataRefused, PatinaError, StorageError, UsageError
from patina.core.raw import iter_rows
from patina.core.raw_report import read_report
from patina.core.session import STATE, StageState
from patina.download import transfer
from patina.download.hub import DATASET, REVISION, read_hub
from patina.download.transfer import Patience

STAGE = """
import sys
from patina.core.session import session
from patina.download.stage import run
with session("download", sys.argv[1]) as progress:
    run(sys.argv[1], sys.argv[1] + ".html", data="hf://danielaivanova/damaged-media", pictures=1, seed=0, settings="{}", progress=progress)
"""
READ = """
import sys
from pathlib import Path
from patina.download.hub import read_hub
for row in read_hub(Path(sys.argv[1]), keep=True):
    print(row.id)
"""
FIRST, SECOND = "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"
HASTY = Patience(attempts=3, first_wait=0, longest_wait=0, silence=20)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("hub")
    names = {FIRST: ["a", "b"], SECOND: ["c"]}
    return {name: write_shard(folder / name, [record(i) for i in ids]).read_bytes() for name, ids in names.items()}


@pytest.fixture
def hub(files, monkeypatch):
    for name in ("HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # the other tests reach for no network
    close_session()  # it remembers the proxies that it was made with
    server = Hub(dict(files))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with serving(server):
        yield server
    close_session()


def read(scratch: Path, *, keep: bool = False, patience: Patience = HASTY) -> list[str | None]:
    return [row.id for row in read_hub(scratch, keep=keep, patience=patience)]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return clean | {"HF_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(sys.path)} | changes


def download(folder: Path, **changes: str) -> tuple[int, StageState]:
    folder.mkdir()
    command = [sys.executable, "-c", STAGE, str(folder / "raw")]
    done = subprocess.run(command, env=environment(folder, **changes), check=False, capture_output=True)
    return done.returncode, StageState.model_validate_json((folder / STATE).read_bytes())


def test_every_shard_of_the_pinned_revision_is_read_in_order(hub, tmp_path):
    assert read(tmp_path / "scratch") == ["a", "b", "c"]
    assert [path for path, _ in hub.requests] == [TREE, RESOLVE + FIRST, RESOLVE + SECOND]
    assert all(REVISION in path for path, _ in hub.requests)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_at_most_one_shard_is_on_the_disk_unless_they_are_kept(hub, tmp_path):
    assert [sorted(path.name for path in tmp_path.iterdir()) for _ in read_hub(tmp_path, patience=HASTY)] == [
        [Path(FIRST).name],
        [Path(FIRST).name],
        [Path(SECOND).name],
    ]


@pytest.mark.parametrize("cut", [1, 1000, -1])
def test_a_cut_connection_goes_on_where_it_stopped(hub, tmp_path, cut):
    size = len(hub.files[FIRST])
    stop = cut % size
    hub.meets(FIRST, ("cut", stop))
    assert read(tmp_path) == ["a", "b", "c"]
    assert hub.ranges(FIRST) == ["", f"bytes={stop}-"]
    others = len(hub.files[SECOND])
    listed = hub.sent - size - others
    assert 0 < listed < 2000, "no byte of a shard may be sent twice"


def test_what_a_killed_process_had_fetched_is_not_fetched_again(hub, tmp_path):
    hub.meets(SECOND, ("stall", 2000))
    command = [sys.executable, "-c", READ, str(tmp_path / "scratch")]
    process = subprocess.Popen(command, env=environment(tmp_path, HF_ENDPOINT=hub.url), stdout=subprocess.PIPE)
    part = tmp_path / "scratch" / f"{Path(SECOND).name}.part"
    assert hub.stalled.wait(60)
    while not part.exists() or part.stat().st_size < 2000:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.requests.clear()
    assert read(tmp_path / "scratch", keep=True) == ["a", "b", "c"]
    assert (hub.ranges(FIRST), hub.ranges(SECOND)) == ([], ["bytes=2000-"])
    hub.requests.clear()
    assert read(tmp_path / "scratch", keep=True) == ["a", "b", "c"]
    assert [path for path, _ in hub.requests] == [TREE]


@pytest.mark.parametrize("left", [b"", b"not the beginning of the shard", b"x" * 1_000_000])
def test_a_part_that_belongs_to_another_file_does_not_spoil_the_shard(hub, tmp_path, left):
    (tmp_path / f"{Path(FIRST).name}.part").write_bytes(left)
    assert read(tmp_path) == ["a", "b", "c"]


def test_a_kept_shard_that_was_damaged_on_the_disk_is_fetched_again(hub, tmp_path):
    read(tmp_path, keep=True)
    kept = tmp_path / Path(FIRST).name
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    hub.requests.clear()
    assert read(tmp_path, keep=True) == ["a", "b", "c"]
    assert (hub.ranges(FIRST), hub.ranges(SECOND)) == ([""], [])


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        ([("cut", 500), "no ranges"], ["", "bytes=500-"]),
        ([("cut", 500), "wrong range"], ["", "bytes=500-", ""]),
        ([("cut", 500), 416], ["", "bytes=500-", ""]),
        (["long"], ["", ""]),
        (["spoiled"], ["", ""]),
        ([("cut", 500), "spoiled"], ["", "bytes=500-"]),
    ],
)
def test_a_server_that_sends_something_else_is_asked_again(hub, tmp_path, faults, ranges):
    hub.meets(FIRST, *faults)
    assert read(tmp_path) == ["a", "b", "c"]
    assert hub.ranges(FIRST) == ranges


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("place", ["tree", FIRST])
def test_a_burst_of_passing_errors_is_outlasted(hub, tmp_path, place, status):
    hub.meets(place, status, status)
    assert read(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("place", ["tree", FIRST])
@pytest.mark.parametrize("status", [429, 503])
def test_errors_that_do_not_pass_end_after_bounded_attempts(hub, tmp_path, place, status):
    hub.meets(place, *[status] * 99)
    with pytest.raises(StorageError, match=f"after 3 attempts .HTTP status {status}"):
        read(tmp_path)
    assert sum(path.endswith(TREE if place == "tree" else FIRST) for path, _ in hub.requests) == 3


def test_the_waits_double_and_keep_to_their_bound_whatever_the_hub_asks_for(hub, tmp_path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
    hub.headers = {"Retry-After": "86400"}
    hub.meets("tree", 429)
    read(tmp_path, patience=Patience(attempts=5, first_wait=1, longest_wait=6))
    hub.headers = {}
    hub.meets(FIRST, 503, 503, 503, 503)
    read(tmp_path, patience=Patience(attempts=5, first_wait=1, longest_wait=6))
    assert waits == [6, 1, 2, 4, 6]


def test_a_long_transfer_may_be_cut_more_often_than_there_are_attempts(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "_GAIN", 100)
    hub.meets(FIRST, *[("cut", 200)] * 8)
    assert read(tmp_path) == ["a", "b", "c"]
    assert hub.ranges(FIRST)[:3] == ["", "bytes=200-", "bytes=400-"]


@pytest.mark.parametrize(("status", "remedy"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "HF_ENDPOINT"), (410, "--data")])
@pytest.mark.parametrize("place", ["tree", FIRST])
def test_a_refusal_fails_at_once_with_a_remedy(hub, tmp_path, place, status, remedy):
    hub.meets(place, *[status] * 99)
    with pytest.raises(StorageError, match=f"HTTP status {status}") as caught:
        read(tmp_path)
    assert remedy in str(caught.value)
    assert len(hub.requests) == (1 if place == "tree" else 2)


def test_a_shard_that_keeps_arriving_corrupted_is_refused_with_both_digests(hub, tmp_path):
    right = sha256(hub.files[FIRST])
    hub.meets(FIRST, *["spoiled"] * 99)
    with pytest.raises(StorageError, match=f"hub lists {right[:12]}") as caught:
        read(tmp_path)
    body = hub.files[FIRST]
    assert Path(FIRST).name in str(caught.value)
    assert sha256(body[:50] + bytes([body[50] ^ 1]) + body[51:])[:12] in str(caught.value)
    assert hub.ranges(FIRST) == ["", "", ""]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["tree", FIRST])
def test_a_hub_that_never_answers_is_given_up(hub, tmp_path, place):
    hub.meets(place, *["silence"] * 99)
    with pytest.raises(StorageError, match=r"after 2 attempts .ReadTimeout"):
        read(tmp_path, patience=Patience(attempts=2, first_wait=0, silence=0.2))


def test_a_hub_that_falls_silent_within_a_shard_is_asked_for_the_rest(hub, tmp_path):
    hub.meets(FIRST, ("stall", 700))
    assert read(tmp_path, patience=Patience(attempts=2, first_wait=0, silence=0.5)) == ["a", "b", "c"]
    assert hub.ranges(FIRST) == ["", "bytes=700-"]


def test_a_hub_that_refuses_connections_fails_after_bounded_attempts(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://{'somebody:secret'}@127.0.0.1:9")
    with pytest.raises(StorageError, match=r"after 3 attempts .ConnectError") as caught:
        read(tmp_path)
    assert "at http://127.0.0.1:9 after" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_no_address_is_refused(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "mirror.example")
    with pytest.raises(UsageError, match=r"HF_ENDPOINT is 'mirror\.example'"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["data/../../../escaped.parquet", "data/.hidden.parquet", "/data/x.parquet", "data/a/b.parquet"])
def test_a_shard_whose_name_leads_elsewhere_is_refused(hub, tmp_path, name):
    hub.files = {name: b"PAR1"}
    with pytest.raises(StorageError, match="expected a shard"):
        read(tmp_path / "deep" / "scratch")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "listing", [{"error": "no"}, ["file"], [{"path": 3}], [{"path": "data/x.parquet", "lfs": {"oid": "0", "size": "?"}}]]
)
def test_a_listing_that_is_none_fails_with_the_remedy(hub, tmp_path, monkeypatch, listing):
    monkeypatch.setattr(hub, "listing", lambda: listing)
    with pytest.raises(StorageError, match=r"does not list files as a hub does.*--data sample"):
        read(tmp_path)


def test_a_hub_without_the_data_set_fails_with_the_remedy(hub, tmp_path):
    hub.files = {}
    with pytest.raises(StorageError, match=r"lists no Parquet shards.*--data sample"):
        read(tmp_path)


def test_a_server_that_is_no_hub_fails_with_the_remedy(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/elsewhere")
    with pytest.raises(StorageError, match="cannot list the shards"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 is not enough of a Parquet file, even with fifty bytes and more of it"])
def test_a_shard_in_another_schema_is_refused(hub, tmp_path, content):
    hub.files = {FIRST: content or b"0"}
    with pytest.raises(DataRefused, match=Path(FIRST).name):
        read(tmp_path)


def test_a_folder_that_cannot_be_written_fails_at_once(hub, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="Free space or choose a writable folder"):
        read(tmp_path / "file" / "scratch")


def test_a_full_disk_fails_at_once(hub, tmp_path):
    (tmp_path / f"{Path(FIRST).name}.part").symlink_to("/dev/full")
    with pytest.raises(PatinaError, match="No space left"):
        read(tmp_path)
    assert len(hub.ranges(FIRST)) == 1


def test_a_proxy_is_used(hub, tmp_path, monkeypatch):
    proxy = Proxy(hub)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.test")
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with serving(proxy):
        assert read(tmp_path) == ["a", "b", "c"]
    assert [line.split()[1].removeprefix("http://hub.test") for line in proxy.lines] == [TREE, RESOLVE + FIRST, RESOLVE + SECOND]
    assert hub.requests == []


def test_an_https_hub_is_reached_through_a_tunnel_of_the_proxy(hub, tmp_path, monkeypatch):
    proxy = Proxy(hub)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.test")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with serving(proxy), pytest.raises(StorageError, match=r"after 3 attempts .ProxyError"):
        read(tmp_path)
    assert [line.split()[:2] for line in proxy.lines] == [["CONNECT", "hub.test:443"]] * 3


def test_a_host_in_no_proxy_is_reached_directly(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert read(tmp_path) == ["a", "b", "c"]


def test_a_hub_that_may_not_be_reached_fails_with_the_remedy(tmp_path):
    code, state = download(tmp_path / "out", HF_HUB_OFFLINE="1")
    assert (code, state.error) == (4, "StorageError")
    assert "--data with a folder, or --data sample" in (state.message or "")
    assert "\n" not in (state.message or "")


def test_the_stage_names_licence_and_revision_and_leaves_no_shard_behind(hub, tmp_path):
    code, _ = download(tmp_path / "out", HF_ENDPOINT=hub.url)
    assert code == 0
    assert [row.id for row in iter_rows(tmp_path / "out" / "raw")] == ["a", "b", "c"]
    report = read_report(tmp_path / "out" / "raw")
    assert (report.licence, report.source) == ("AFL-3.0", f"hf://{DATASET} at revision {REVISION[:12]}")
    left = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "home")
    assert left == ["raw", "raw.html", "stage.log", "state.json"]
