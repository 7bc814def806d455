from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from patina.core.errors import DataRefused
from patina.core.raw import RawRow, RawWriter, iter_rows, read_index
from patina.core.raw_report import Quarantined, read_report, write_report


def row(identifier: str, size: int = 1000, **changes) -> RawRow:
    image = np.random.default_rng(sum(identifier.encode())).bytes(size)
    made = RawRow(identifier, image, b"mask", "Paper", "Line art", "Map", 10, 5, "0" * 64, "f" * 16, (40, *[0] * 14, 5))
    return replace(made, **changes)


def stored(folder, rows, **options):
    with RawWriter(folder, **options) as writer:
        for item in rows:
            writer.add(item)
    return folder


def test_rows_come_back_as_they_were_written_in_order(tmp_path):
    rows = [row(f"p{i}") for i in range(5)]
    assert list(iter_rows(stored(tmp_path, rows))) == rows


def test_shards_are_closed_before_they_pass_their_size(tmp_path):
    rows = [row(f"p{i}", 4000) for i in range(7)]
    stored(tmp_path, rows, shard_bytes=10_000)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"part-{i:05d}.parquet" for i in range(4)]
    assert [pq.ParquetFile(tmp_path / name).metadata.num_rows for name in names] == [2, 2, 2, 1]
    assert list(iter_rows(tmp_path)) == rows


def test_wanted_rows_are_found_across_shards(tmp_path):
    rows = [row(f"p{i}", 4000) for i in range(7)]
    stored(tmp_path, rows, shard_bytes=10_000)
    assert list(iter_rows(tmp_path, ["p5", "p1"])) == [rows[1], rows[5]]


def test_an_id_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataRefused, match="1 of the 2 wanted ids are not there, first 'nobody'"):
        list(iter_rows(stored(tmp_path, [row("p0")]), ["p0", "nobody"]))


@pytest.mark.parametrize("identifier", ["", ".hidden", "..", "a/b", "a\\b", "../../etc/passwd", "a b", "é", "x" * 121, "a\n", "a\0"])
def test_an_id_that_is_no_safe_file_name_is_refused(tmp_path, identifier):
    with pytest.raises(DataRefused, match="not a safe name"):
        stored(tmp_path, [row("good"), row(identifier)])


def test_an_id_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(DataRefused, match="'p0' occurs twice"):
        stored(tmp_path, [row("p0"), row("p1"), row("p0")])


def test_a_writer_that_fails_leaves_no_unfinished_shard(tmp_path):
    with pytest.raises(DataRefused):
        stored(tmp_path, [row("p0", 20_000_000), row("p0")])
    assert list(tmp_path.iterdir()) == []


def test_shards_of_a_stopped_attempt_do_not_survive(tmp_path):
    stored(tmp_path, [row(f"p{i}", 4000) for i in range(7)], shard_bytes=10_000)
    stored(tmp_path, [row("q0")])
    assert [item.id for item in iter_rows(tmp_path)] == ["q0"]


def test_the_same_rows_make_the_same_bytes(tmp_path):
    rows = [row("p0"), row("p1")]
    first, second = (stored(tmp_path / name, rows) / "part-00000.parquet" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_the_index_has_every_column_but_the_files(tmp_path):
    index = read_index(stored(tmp_path, [row("p0"), row("p1", material="Wood")], shard_bytes=1))
    assert index.columns.tolist() == ["id", "material", "content", "type", "width", "height", "sha256", "phash", "pixels"]
    assert index["material"].tolist() == ["Paper", "Wood"]
    assert index["pixels"][0].tolist() == [40, *[0] * 14, 5]


def test_the_datasets_library_reads_the_shards_as_pictures(tmp_path):
    import datasets

    table = pq.ParquetFile(stored(tmp_path, [row("p0")]) / "part-00000.parquet").schema_arrow
    features = datasets.Features.from_arrow_schema(table)
    assert isinstance(features["image"], datasets.Image)
    assert isinstance(features["annotation"], datasets.Image)
    assert features.arrow_schema.equals(table, check_metadata=False)


def test_a_folder_without_shards_or_with_other_columns_is_refused(tmp_path):
    with pytest.raises(DataRefused, match=r"no part-\*\.parquet"):
        list(iter_rows(tmp_path))
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "part-00000.parquet")
    with pytest.raises(DataRefused, match=r"has columns \['id'\]"):
        read_index(tmp_path)
    (tmp_path / "part-00000.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataRefused, match="not a readable Parquet file"):
        list(iter_rows(tmp_path))


def test_the_report_counts_what_the_shards_hold(tmp_path):
    stored(tmp_path, [row("p0"), row("p1", width=20, height=10, pixels=(0, 100, *[0] * 14), material="Wood")])
    left_out = [Quarantined(id="bad", reason="truncated")]
    report = write_report(tmp_path, source="s", licence="l", citation="c", quarantined=left_out, conversions={"x": 1})
    assert read_report(tmp_path) == report
    assert report.labelled_share == pytest.approx(145 / 250)
    assert (report.class_pixels["Clean"], report.class_pixels["Lightleak"], report.class_pixels["Material loss"]) == (40, 5, 100)
    assert (report.class_pictures["Clean"], report.class_pictures["Peel"]) == (1, 0)
    assert report.materials == {"Paper": 1, "Wood": 1}
    assert report.sizes["width"] == (10, 15, 20)
