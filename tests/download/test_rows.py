"""Shards are read undecoded, a row group at a time, whatever is wrong with them."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shards import SCHEMA, record, write_shard

from patina.core.errors import DataRefused, StorageError
from patina.download import rows
from patina.download.rows import SourceRow, check_shard, read_shard

IDS = ["a", "b", "c", "d", "e"]


def stored(path: Path, **options: object) -> list[dict]:
    """Five rows written to `path`; returns what they are."""
    records = [record(name) for name in IDS]
    pq.write_table(pa.Table.from_pylist(records, SCHEMA), path, **options)
    return records


def expected(columns: dict) -> SourceRow:
    files = {name: columns[name] and columns[name]["bytes"] for name in ("image", "annotation", "annotation_rgb")}
    return SourceRow(**files, **{name: columns[name] for name in ("id", "material", "content", "type")})


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "snappy"},
        {"compression": "zstd", "row_group_size": 2},
        {"compression": "none", "use_dictionary": False},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"write_page_checksum": True, "row_group_size": 1},
    ],
)
def test_rows_come_back_in_order_byte_for_byte(tmp_path, options):
    records = stored(tmp_path / "x.parquet", **options)
    assert list(read_shard(tmp_path / "x.parquet", tmp_path)) == [expected(columns) for columns in records]


def test_large_files_are_read_through_a_buffer_with_the_same_result(tmp_path, monkeypatch):
    records = stored(tmp_path / "x.parquet")
    monkeypatch.setattr(rows, "_LARGE", 100)
    monkeypatch.setattr(rows, "_BUFFER", 64)
    assert list(read_shard(tmp_path / "x.parquet")) == [expected(columns) for columns in records]


@pytest.mark.parametrize("kind", [pa.large_binary(), pa.binary()])
def test_both_of_arrows_binary_types_are_pictures(tmp_path, kind):
    blob = pa.struct([("path", pa.string()), ("bytes", kind)])
    schema = pa.schema([field.with_type(blob) if pa.types.is_struct(field.type) else field for field in SCHEMA])
    records = [record("a")]
    pq.write_table(pa.Table.from_pylist(records, schema), tmp_path / "x.parquet")
    assert check_shard(tmp_path / "x.parquet") == 1
    assert list(read_shard(tmp_path / "x.parquet")) == [expected(records[0])]


def test_what_a_row_lacks_is_none(tmp_path):
    records = [record("a", image=None), record("b", material=None), {**record("c"), "annotation": {"bytes": None, "path": "x"}}]
    found = list(read_shard(write_shard(tmp_path / "x.parquet", records)))
    assert [(row.image is None, row.material is None, row.annotation is None) for row in found] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_a_shard_without_rows_has_none(tmp_path):
    path = write_shard(tmp_path / "x.parquet", [])
    assert (check_shard(path), list(read_shard(path))) == (0, [])


@pytest.mark.parametrize("name", ["id", "material", "image", "annotation_rgb"])
def test_a_column_that_is_missing_is_named(tmp_path, name):
    table = pa.Table.from_pylist([record("a")], SCHEMA).drop_columns([name])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataRefused, match=f"{name}: no such column"):
        check_shard(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["id", "image"])
def test_a_column_that_occurs_twice_is_named(tmp_path, name):
    table = pa.Table.from_pylist([record("a")], SCHEMA)
    pq.write_table(table.append_column(name, table[name]), tmp_path / "x.parquet")
    with pytest.raises(DataRefused, match=f"{name}: occurs 2 times"):
        check_shard(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [("id", pa.int64(), "id: expected string, found int64"), ("image", pa.binary(), "image: expected struct<bytes: binary, path: string>")],
)
def test_a_column_of_another_type_is_named(tmp_path, name, kind, message):
    table = pa.Table.from_pylist([record("a")], SCHEMA)
    column = pa.nulls(1, kind)
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), tmp_path / "x.parquet")
    with pytest.raises(DataRefused, match=message):
        check_shard(tmp_path / "x.parquet")


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path, kept):
    path = tmp_path / "x.parquet"
    stored(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    for read in (check_shard, lambda place: list(read_shard(place))):
        with pytest.raises(DataRefused, match=r"x\.parquet is not a readable Parquet file .*Fetch the file again"):
            read(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(DataRefused, match="nowhere"):
        check_shard(tmp_path / "nowhere.parquet")


def test_damage_names_file_row_group_and_column_and_spares_the_rows_before(tmp_path):
    path = tmp_path / "x.parquet"
    stored(path, row_group_size=2, compression="snappy")
    place = pq.ParquetFile(path).metadata.row_group(1).column(1).dictionary_page_offset
    content = bytearray(path.read_bytes())
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content)
    found: list[str | None] = []
    with pytest.raises(DataRefused, match=r"x\.parquet is damaged behind row 2.*column image.*row group 1"):
        found.extend(row.id for row in read_shard(path))
    assert found == ["a", "b"]


def test_a_changed_byte_is_found_where_the_pages_have_checksums(tmp_path):
    path = tmp_path / "x.parquet"
    records = stored(path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    picture = records[3]["image"]["bytes"]
    place = content.index(picture) + len(picture) // 2
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataRefused, match=r"damaged behind row 0.*column image"):
        list(read_shard(path))


def test_a_text_that_is_no_text_is_damage(tmp_path):
    path = tmp_path / "x.parquet"
    stored(path, compression="none")
    content = path.read_bytes()
    place = pq.ParquetFile(path).metadata.row_group(0).column(7).dictionary_page_offset
    path.write_bytes(content[:place] + content[place:].replace(b"Paper", b"\xff\xfe\xfd\xfc\xfb", 1))
    with pytest.raises(DataRefused, match=r"damaged behind row 0, at value 0 of column material"):
        list(read_shard(path))


def test_a_row_group_that_claims_more_rows_than_are_sensible_is_refused(tmp_path, monkeypatch):
    path = write_shard(tmp_path / "x.parquet", [record("a"), record("b")])
    monkeypatch.setattr(rows, "_MAX_ROWS", 1)
    with pytest.raises(DataRefused, match="claims 2 rows, allowed are 1"):
        list(read_shard(path))


@pytest.mark.parametrize(
    "fault", [MemoryError("malloc of size 1099511627776 failed"), OverflowError("too large"), RuntimeError("C++"), pa.ArrowKeyError("x")]
)
def test_whatever_arrow_raises_is_damage(tmp_path, monkeypatch, fault):
    def fail(*_: object, **__: object) -> None:
        raise fault

    path = write_shard(tmp_path / "x.parquet", [record("a")])
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)
    with pytest.raises(DataRefused, match="damaged behind row 0"):
        list(read_shard(path))


def test_a_file_that_claims_two_gigabytes_does_not_get_them(tmp_path):
    path = write_shard(tmp_path / "x.parquet", [record("a")])
    content = path.read_bytes()
    place = pq.ParquetFile(path).metadata.row_group(0).column(7).dictionary_page_offset
    claims = b"\x15\x14\x15\xfe\xff\xff\xff\x0f\x15\xfe\xff\xff\xff\x0f"  # a page header of an unknown kind, 2^31 - 1 bytes long
    path.write_bytes(content[:place] + claims + content[place + len(claims) :])
    pa.default_memory_pool().release_unused()
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(DataRefused, match="column material"):
        list(read_shard(path))
    assert pa.default_memory_pool().max_memory() - before < 10_000_000


def test_arrow_holds_nothing_while_a_row_is_out(tmp_path):
    before = pa.total_allocated_bytes()
    path = write_shard(tmp_path / "x.parquet", [record("a"), record("b", image=bytes(1_000_000))])
    assert [pa.total_allocated_bytes() - before < 100_000 for _ in read_shard(path)] == [True, True]


@pytest.mark.parametrize("given", [True, False])
def test_no_file_is_left_behind_even_if_the_reader_stops_early(tmp_path, monkeypatch, given):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = write_shard(tmp_path / "x.parquet", [record("a"), record("b")])
    reader = read_shard(path, tmp_path / "scratch" if given else None)
    next(reader)
    del reader
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_room_for_the_copy_is_a_fault_of_the_disk(tmp_path, monkeypatch):
    path = write_shard(tmp_path / "x.parquet", [record("a")])
    with pytest.raises(StorageError, match="cannot keep a row group"):
        next(read_shard(path, tmp_path / "nowhere"))
    with Path("/dev/full").open("w+b") as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        with pytest.raises(StorageError, match=r"No space left.*TMPDIR"):
            next(read_shard(path))
        monkeypatch.undo()
