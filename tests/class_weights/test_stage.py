"""The class_weights stage: training pictures only, 255 never, absent classes named."""

import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from patina.class_weights.stage import run
from patina.core.artifact import seal
from patina.core.errors import DataRefused, UsageError
from patina.core.pictures import encode_mask
from patina.core.raw import RawRow, RawWriter
from patina.core.splits import SPLITS_SCHEMA
from patina.core.weights import read_class_weights, read_weights


def make(folder, masks):
    """`raw` and `splits` of pictures that nobody may decode: {id: (split, mask values)}."""
    with RawWriter(folder / "raw") as writer:
        for name, (_, values) in masks.items():
            pixels = tuple(np.bincount(values, minlength=256)[:16].tolist())
            mask = encode_mask(np.array([values], np.uint8))
            writer.add(RawRow(name, b"not decoded", mask, "Paper", "Line art", "Letter", len(values), 1, "0" * 64, "0" * 16, pixels))
    raw = seal(folder / "raw", "raw", inputs={}, config={}, image="test")
    rows = [
        {"id": name, "group": name, "split": split, "fold": -1, "material": "Paper", "content": "Line art"}
        for name, (split, _) in sorted(masks.items())
    ]
    (folder / "splits").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=SPLITS_SCHEMA), folder / "splits" / "splits.parquet")
    seal(folder / "splits", "splits", inputs={"raw": raw.digest}, config={}, image="test")
    return folder / "raw", folder / "splits", folder / "weights", folder / "chart" / "chart.html"


MASKS = {
    "t2": ("train", [0] * 8 + [5] * 2 + [255] * 90),
    "t1": ("train", [0] * 10),
    "v1": ("val", [14] * 50),
    "x1": ("test", [15] * 50),
}


def test_counts_training_pictures_only_and_never_255(tmp_path):
    paths = make(tmp_path, MASKS)
    run(*paths)
    weights = read_class_weights(paths[2])
    assert weights.pixels == [18, 0, 0, 0, 0, 2, *[0] * 10]
    assert weights.pictures == [2, 0, 0, 0, 0, 1, *[0] * 10]
    assert weights.present == [True, False, False, False, False, True, *[False] * 10]
    assert read_weights(paths[2], "inverse")[[0, 5]].tolist() == pytest.approx([0.2, 1.8])


def test_counts_are_kept_per_picture_and_class(tmp_path):
    paths = make(tmp_path, MASKS)
    run(*paths)
    counts = pq.read_table(paths[2] / "counts.parquet").to_pandas()
    assert counts["id"].unique().tolist() == ["t1", "t2"]
    assert len(counts) == 32
    assert counts[counts["pixels"] > 0].to_numpy().tolist() == [["t1", 0, 10], ["t2", 0, 8], ["t2", 5, 2]]


def test_the_order_of_rows_changes_nothing(tmp_path):
    digests = {
        run(*make(tmp_path / order, {name: MASKS[name] for name in order.split()})).digest for order in ("t1 t2 v1 x1", "x1 t2 v1 t1")
    }
    assert len(digests) == 1


def test_absent_classes_are_named_in_log_and_view_and_have_finite_weights(tmp_path, caplog):
    paths = make(tmp_path, MASKS)
    with caplog.at_level(logging.WARNING):
        run(*paths)
    page = paths[3].read_text()
    for text in (caplog.text, page):
        assert "Burn marks, Lightleak" in text
    assert "<script" not in page
    assert page == (paths[2] / "weights.html").read_text()
    assert np.isfinite(read_weights(paths[2], "inverse")).all()


def test_the_settings_reach_the_weights(tmp_path):
    paths = make(tmp_path, MASKS)
    run(*paths, settings=json.dumps({"max_ratio": 3.0}))
    weights = read_weights(paths[2], "inverse")
    assert weights[5] / weights[0] == pytest.approx(3)


def test_refuses_training_pictures_without_a_label(tmp_path):
    with pytest.raises(DataRefused, match="the 1 training pictures hold no labelled pixel"):
        run(*make(tmp_path, {"a": ("train", [255] * 9), "b": ("val", [0] * 9)}))


def test_refuses_splits_of_another_raw(tmp_path):
    raw, _, weights, chart = make(tmp_path / "one", MASKS)
    _, splits, _, _ = make(tmp_path / "two", {name: MASKS[name] for name in ("t1", "v1")})
    with pytest.raises(DataRefused, match="another raw artifact"):
        run(raw, splits, weights, chart)


def test_an_unknown_setting_names_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="max_ratio"):
        run(*make(tmp_path, MASKS), settings='{"max_ration": 3}')
