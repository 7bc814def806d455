import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shards import SCHEMA, png, record, write_shard

from patina.core import artifact
from patina.core.errors import DataRefused, UsageError
from patina.core.pictures import count_values, decode_mask, picture_size
from patina.core.raw import iter_rows
from patina.core.raw_groups import read_groups
from patina.core.raw_report import read_report
from patina.core.session import Session
from patina.core.taxonomy import palette
from patina.download import sources
from patina.download.stage import run

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
MASK = np.zeros((24, 32), np.uint8)


def download(folder: Path, data, *, pictures: int = 4, seed: int = 0, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    return run(
        folder / "raw",
        folder / "card.html",
        data=str(data),
        pictures=pictures,
        seed=seed,
        settings=json.dumps(settings),
        progress=Session(folder, "download", None),
    )


def colored(mask: np.ndarray, **changes) -> dict:
    return {"annotation": png(mask), "annotation_rgb": png(palette()[mask]), **changes}


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("place", [".", "data"])
def test_shards_are_read_from_the_folder_or_its_data_folder(data, out, place):
    write_shard(data / place / "train-00000.parquet", [record("a"), record("b")])
    write_shard(data / place / "train-00001.parquet", [record("c")])
    download(out, data)
    artifact.open_artifact(out / "raw", "raw")
    assert [row.id for row in iter_rows(out / "raw")] == ["a", "b", "c"]


def test_a_row_keeps_its_files_byte_by_byte_and_gets_what_was_measured(data, out):
    source = record("a")
    write_shard(data / "x.parquet", [source])
    download(out, data)
    (row,) = iter_rows(out / "raw")
    assert (row.image, row.annotation) == (source["image"]["bytes"], source["annotation"]["bytes"])
    assert (row.width, row.height) == picture_size(row.image) == (32, 24)
    assert row.pixels == tuple(count_values(decode_mask(row.annotation))[:16].tolist())


def test_the_same_rows_make_the_same_digest_wherever_the_shards_are_cut(tmp_path):
    write_shard(tmp_path / "one" / "set" / "x.parquet", [record(name) for name in "abc"])
    write_shard(tmp_path / "two" / "set" / "x.parquet", [record("a")])
    write_shard(tmp_path / "two" / "set" / "y.parquet", [record("b"), record("c")])
    digests = {download(tmp_path / "out" / name, tmp_path / name / "set").digest for name in ("one", "two")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda path: None, "does not exist", id="missing"),
        pytest.param(lambda path: path.write_text("x"), "is a file", id="a file"),
        pytest.param(lambda path: path.mkdir(), r"holds no \*\.parquet", id="empty"),
        pytest.param(lambda path: (path.mkdir(), (path / "a.parquet").write_bytes(b"PAR1 no")), "not a readable Parquet", id="no Parquet"),
    ],
)
def test_a_folder_without_readable_shards_is_refused_in_one_line(data, out, prepare, message):
    prepare(data)
    with pytest.raises(DataRefused, match=message) as caught:
        download(out, data)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_columns_are_checked_in_every_shard_before_any_row_is_read(data, out):
    write_shard(data / "a.parquet", [record("a", image=b"broken")])
    wrong = pa.table({"id": pa.array([1]), "image": pa.array(["file.png"])})
    pq.write_table(wrong, data / "b.parquet")
    with pytest.raises(DataRefused, match=r"b\.parquet.*id: expected string, found int64.*content: no such column.*image: expected struct"):
        download(out, data)


def test_a_shard_cut_off_behind_its_rows_is_refused(data, out):
    path = write_shard(data / "a.parquet", [record(f"p{i}") for i in range(9)])
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    with pytest.raises(DataRefused, match="damaged behind row"):
        download(out, data)


@pytest.mark.parametrize("data", ["hf://someone/else", "hf://"])
def test_sources_that_are_not_read_are_refused_with_what_is(out, data):
    with pytest.raises(UsageError, match="hf://danielaivanova/damaged-media"):
        download(out, data)


BROKEN = {
    "another format": ({"image": b"GIF89a"}, "image: not a PNG"),
    "missing colours": ({"annotation_rgb": None}, "annotation_rgb is missing"),
    "no material": ({"material": None}, "material is missing"),
}


@pytest.mark.parametrize(("changes", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_row_fails_the_stage_unless_it_is_allowed_for(data, out, changes, reason):
    write_shard(data / "x.parquet", [record("good"), record("bad", **changes)])
    with pytest.raises(DataRefused, match=f"1 broken rows, allowed are 0: bad: {reason}"):
        download(out / "strict", data)
    assert not (out / "strict" / "raw" / artifact.MANIFEST).exists()

    download(out / "lenient", data, max_quarantined=1)
    report = read_report(out / "lenient" / "raw")
    assert [row.id for row in iter_rows(out / "lenient" / "raw")] == ["good"]
    assert [(row.id, report.pictures) for row in report.quarantined] == [("bad", 1)]
    assert report.quarantined[0].reason in (out / "lenient" / "raw" / "card.html").read_text().replace("&#x27;", "'")


def test_one_wrong_pixel_of_colour_is_found(data, out):
    colors = palette()[MASK].copy()
    colors[-1, -1] = (1, 2, 3)
    write_shard(data / "x.parquet", [record("a", annotation=png(MASK), annotation_rgb=png(colors))])
    with pytest.raises(DataRefused, match=r"0 = #010203 \(expected #000000\)"):
        download(out, data)


def test_a_source_of_broken_rows_only_is_refused(data, out):
    write_shard(data / "x.parquet", [record("bad", image=b"x")])
    with pytest.raises(DataRefused, match="no usable picture"):
        download(out, data, max_quarantined=5)


def test_rows_that_a_shard_announces_and_does_not_hold_are_missed(data, out, monkeypatch):
    write_shard(data / "x.parquet", [record("a"), record("b")])
    monkeypatch.setattr(sources, "check_shard", lambda path: 3)
    with pytest.raises(DataRefused, match="announces 3 rows, but 2 came"):
        download(out, data)


def grouped(path: Path, rows: dict[str, object], kind: pa.DataType) -> None:
    table = pa.Table.from_pylist([record(name) for name in rows], SCHEMA)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.append_column("group_object", pa.array(list(rows.values()), kind)), path)


def test_group_columns_of_shards_reach_the_artifact_and_the_card(data, out):
    grouped(data / "x.parquet", {"a": 7, "b": 7, "c": None}, pa.int64())
    grouped(data / "y.parquet", {"d": 8}, pa.int64())
    download(out, data)
    artifact.open_artifact(out / "raw", "raw")
    assert read_groups(out / "raw") == {"group_object": {"a": "7", "b": "7", "d": "8"}}
    assert "group_object" in (out / "card.html").read_text()


def test_groups_of_pictures_that_were_left_out_are_left_out(data, out):
    table = pa.Table.from_pylist([record("a"), record("b", image=b"x")], SCHEMA).append_column("group_roll", pa.array(["1", "1"]))
    data.mkdir()
    pq.write_table(table, data / "x.parquet")
    download(out, data, max_quarantined=1)
    assert read_groups(out / "raw") == {"group_roll": {"a": "1"}}


def test_without_groups_there_is_no_file_of_them(data, out):
    write_shard(data / "x.parquet", [record("a")])
    download(out, data)
    assert sorted(path.name for path in (out / "raw").iterdir()) == ["card.html", "manifest.json", "part-00000.parquet", "report.json"]
    assert sorted(path.name for path in out.iterdir()) == ["card.html", "raw", "state.json"]


def test_group_columns_of_another_type_are_refused(data, out):
    grouped(data / "x.parquet", {"a": 0.5}, pa.float64())
    with pytest.raises(DataRefused, match="column group_object holds double, expected text or whole numbers"):
        download(out, data)


HUB = "hf://danielaivanova/damaged-media"


@pytest.fixture
def hub(monkeypatch, data):
    """Plays the hub: its pinned revision holds one picture with the mask values given, and leaves a shard in the scratch folder."""

    def play(values, announced: int = 1) -> None:
        mask = np.resize(np.array(values, np.uint8), (24, 32))
        shard = write_shard(data / "x.parquet", [record("a", **colored(mask))])

        def read_hub(scratch, *, keep):
            scratch.mkdir(exist_ok=True)
            (scratch / "shard.parquet").write_bytes(shard.read_bytes())
            yield from sources.read_shard(shard)

        monkeypatch.setattr(sources, "read_hub", read_hub)
        monkeypatch.setattr(sources, "PICTURES", announced)

    return play


def test_the_whole_pinned_revision_must_show_every_pair_of_index_and_colour(hub, out):
    hub([*range(16), 255])
    download(out, HUB)
    assert read_report(out / "raw").pictures == 1


@pytest.mark.parametrize(("missing", "named"), [(14, r"14 = #809693 \(Burn marks\)"), (255, r"255 = #5A0007 \(Background\)")])
def test_a_pair_that_the_whole_pinned_revision_lacks_is_named(hub, out, missing, named):
    hub([value for value in (*range(16), 255) if value != missing])
    with pytest.raises(DataRefused, match=rf"of its 17 pairs of index and colour 1 occur nowhere: {named}\."):
        download(out, HUB)


def test_a_part_of_the_pinned_revision_may_lack_pairs_and_the_card_says_that_it_is_a_part(hub, out):
    hub([0, 2], announced=418)
    download(out, HUB)
    assert "1 of the data set&#x27;s 418 pictures are here" in (out / "card.html").read_text()


def test_what_was_fetched_stays_until_the_artifact_is_whole(hub, out):
    hub([0])
    with pytest.raises(DataRefused):
        download(out, HUB)
    assert [path.name for path in (out / ".shards").iterdir()] == ["shard.parquet"]
    hub([*range(16), 255])
    download(out, HUB)
    assert not (out / ".shards").exists()


def test_the_card_escapes_what_the_data_say(data, out):
    write_shard(data / "x.parquet", [record("a", type="<script>alert(1)</script>")])
    download(out, data)
    card = (out / "card.html").read_text()
    assert "<script" not in card
    assert "&lt;script&gt;alert(1)" in card
    assert card == (out / "raw" / "card.html").read_text()


def test_the_sample_says_that_it_is_generated_and_repeats_itself(tmp_path):
    first, second, other = (download(tmp_path / name, "sample", pictures=1, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    report = read_report(tmp_path / "a" / "raw")
    assert (report.pictures, report.source, report.citation) == (1, "generated sample, seed 5", "")
    assert "generated" in report.licence
    assert first.digest == second.digest != other.digest


@pytest.mark.parametrize("wrong", [{"pictures": 0}, {"seed": -1}])
def test_a_sample_that_cannot_be_made_is_refused(out, wrong):
    with pytest.raises(UsageError, match="at least one picture"):
        download(out, "sample", **wrong)


@pytest.mark.skipif(not REAL.is_dir(), reason="the eight real pictures are not on this machine")
def test_the_real_pictures_are_read_with_their_partial_labels(out):
    download(out, REAL)
    report = read_report(out / "raw")
    assert (report.pictures, report.quarantined) == (8, [])
    assert report.class_pictures["Clean"] == 4
    assert report.labelled_share == pytest.approx(0.526, abs=1e-3)
    assert report.materials == {"Canvas": 1, "Paper": 4, "Tesserae": 2, "Wood": 1}
    assert "AFL-3.0" in report.licence
    assert "WACV 2025" in report.citation
