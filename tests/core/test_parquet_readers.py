"""Every Parquet table of the data stages opens in `datasets`, pandas and DuckDB as it lies there, with the same rows.

A table that only patina can read locks its data in; and a shard without its features would show bytes where pictures are.
"""

import io
import json

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Image as ImageFeature
from datasets import load_dataset
from PIL import Image

from patina.augment import stage as augment
from patina.class_weights import stage as class_weights
from patina.core.evaluation import write_confusion
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import iter_rows
from patina.core.session import Session
from patina.core.taxonomy import NUM_CLASSES, palette
from patina.download import stage as download
from patina.split import stage as split

TABLES = {
    "raw": "raw/part-*.parquet",
    "test pictures": "test_images/part-*.parquet",
    "splits": "splits/splits.parquet",
    "tiles": "tiles/tiles.parquet",
    "counts": "weights/counts.parquet",
    "confusion": "confusion.parquet",
}
PICTURES = ("raw", "test pictures")


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": "x.png"}


def row(number):
    """A row in ARTeFACT's columns: a coarse random pattern with one damage."""
    rng = np.random.default_rng(number)
    picture = np.kron(rng.integers(0, 256, (12, 12, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    mask = np.zeros((96, 96), np.uint8)
    mask[20:60, 30:70] = 1 + number % 3
    mask[:4] = 255
    files = {"image": png(picture), "annotation": png(mask), "annotation_rgb": png(palette()[mask])}
    return {"id": f"p{number}", **files, "material": "Paper", "content": "Line art", "type": "Map", "damage_description": ""}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The outputs of the data stages for eight pictures, and a confusion table as evaluate writes it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    blob = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [(name, blob if name in ("image", "annotation", "annotation_rgb") else pa.string()) for name in row(0)]
    pq.write_table(pa.Table.from_pylist([row(number) for number in range(8)], pa.schema(columns)), folder / "data" / "a.parquet")
    progress = Session(folder, "test", None)
    raw, splits = folder / "raw", folder / "splits"
    download.run(raw, folder / "card.html", data=str(folder / "data"), pictures=0, seed=0, settings="{}", progress=progress)
    split.run(raw, splits, folder / "test_images", folder / "balance.html", seed=0, settings="{}", progress=progress)
    augment.run(raw, splits, folder / "tiles", tile_size=64, settings=json.dumps({"windows_per_picture": 2, "workers": 1}))
    class_weights.run(raw, splits, folder / "weights", folder / "weights.html")
    table = pd.DataFrame({"id": ["p0", "p1"], "material": "Paper", "width": 96})
    write_confusion(folder, table, np.arange(2 * NUM_CLASSES**2).reshape(2, NUM_CLASSES, NUM_CLASSES))
    return folder


def expected(made, table):
    """The columns and rows as pyarrow reads them."""
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(made.glob(TABLES[table]))])


def plain(value):
    """A list for DuckDB's tuples, its lists of fixed size."""
    return list(value) if isinstance(value, tuple) else value


def load(made, table, tmp_path):
    return load_dataset("parquet", data_files=str(made / TABLES[table]), split="train", cache_dir=str(tmp_path))


@pytest.mark.parametrize("table", TABLES)
def test_pandas_reads_the_table(made, table):
    wanted = expected(made, table)
    frame = pd.concat([pd.read_parquet(path) for path in sorted(made.glob(TABLES[table]))])
    assert len(frame) == wanted.num_rows > 0
    assert frame.columns.tolist() == wanted.column_names
    pd.testing.assert_frame_equal(frame, wanted.to_pandas())


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_reads_the_table(made, table):
    wanted = expected(made, table)
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(made / TABLES[table])]).fetchall()
        names = [column[0] for column in connection.description]
    assert names == wanted.column_names
    assert [tuple(plain(value) for value in line) for line in found] == [
        tuple(plain(value) for value in line.values()) for line in wanted.to_pylist()
    ]


def test_duckdb_answers_a_question_over_several_tables(made):
    question = """
        SELECT splits.split, sum(counts.pixels) FROM read_parquet(?) counts JOIN read_parquet(?) splits USING (id)
        WHERE counts.class > 0 GROUP BY splits.split
    """
    with duckdb.connect() as connection:
        answer = connection.execute(question, [str(made / TABLES["counts"]), str(made / TABLES["splits"])]).fetchall()
    splits = pd.read_parquet(made / TABLES["splits"])
    assert answer == [("train", 1600 * int((splits["split"] == "train").sum()))]  # each picture has 40 x 40 damaged pixels


@pytest.mark.parametrize("table", [table for table in TABLES if table not in PICTURES])
def test_datasets_reads_the_table(made, table, tmp_path):
    wanted = expected(made, table)
    rows = load(made, table, tmp_path)
    assert rows.column_names == wanted.column_names
    assert rows.to_list() == wanted.to_pylist()


@pytest.mark.parametrize("table", PICTURES)
def test_datasets_decodes_pictures_and_masks(made, table, tmp_path):
    rows = load(made, table, tmp_path)
    assert isinstance(rows.features["image"], ImageFeature)
    assert isinstance(rows.features["annotation"], ImageFeature)
    stored = {row.id: row for row in iter_rows((made / TABLES[table]).parent)}
    assert {found["id"] for found in rows} == set(stored)
    for found in rows:
        row = stored[found["id"]]
        np.testing.assert_array_equal(np.asarray(found["image"]), decode_picture(row.image))
        np.testing.assert_array_equal(np.asarray(found["annotation"]), decode_mask(row.annotation))
        assert (found["sha256"], tuple(found["pixels"])) == (row.sha256, row.pixels)
