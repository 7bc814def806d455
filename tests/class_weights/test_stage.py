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
from patina.core.weights import COUNTED, SCHEMES, read_class_weights, read_weights


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
    assert read_weights(paths[2], "inverse", "pixel")[[0, 5]].tolist() == pytest.approx([0.2, 1.8])


def test_both_ways_of_counting_are_kept(tmp_path):
    paths = make(tmp_path, MASKS)
    run(*paths)
    shares = read_class_weights(paths[2]).shares
    assert [shares["pixel"][0], shares["pixel"][5]] == pytest.approx([18 / 20, 2 / 20])
    assert [shares["picture"][0], shares["picture"][5]] == pytest.approx([(1 + 0.8) / 2, (0 + 0.2) / 2])


def test_a_huge_scan_decides_the_weights_per_pixel_only(tmp_path):
    small = {"t1": ("train", [0] * 9 + [5]), "t2": ("train", [0] * 5 + [5] * 5), "v1": ("val", [0] * 9)}
    huge = small | {"t1": ("train", [0] * 900 + [5] * 100)}
    folders = [make(tmp_path / name, masks) for name, masks in (("small", small), ("huge", huge))]
    for folder in folders:
        run(*folder)
    small_weights, huge_weights = (
        {counted: read_weights(folder[2], "inverse", counted).tolist() for counted in COUNTED} for folder in folders
    )
    assert huge_weights["picture"] == small_weights["picture"]
    assert huge_weights["pixel"][5] > 1.15 * small_weights["pixel"][5]


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


def test_a_class_that_is_absent_in_training_is_named_in_log_and_view(tmp_path, caplog):
    paths = make(tmp_path, MASKS | {"t3": ("train", list(range(14)))})
    with caplog.at_level(logging.WARNING):
        run(*paths)
    assert caplog.messages == [
        "no training picture holds: Burn marks, Lightleak. No model can learn them; they carry the largest weight of each scheme."
    ]
    assert "No training picture holds Burn marks, Lightleak: no model can learn them." in paths[3].read_text()


@pytest.mark.parametrize("counted", COUNTED)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_class_that_is_absent_in_training_has_the_largest_weight_and_it_is_finite(tmp_path, scheme, counted):
    paths = make(tmp_path, MASKS)
    run(*paths)
    weights = read_weights(paths[2], scheme, counted)
    assert np.isfinite(weights).all()
    assert weights[14] == weights[15] == weights.max()


def test_the_view_has_no_script_and_lies_in_the_artifact_as_well(tmp_path):
    paths = make(tmp_path, MASKS | {"t3": ("train", [255] * 9)})
    run(*paths)
    page = paths[3].read_text()
    assert "<script" not in page
    assert "Pictures without a labelled pixel, which do not count: 1." in page
    assert page == (paths[2] / "weights.html").read_text()


@pytest.mark.parametrize(
    ("settings", "scheme", "ratio"),
    [
        ({"max_ratio": 3.0}, "inverse", 3),
        ({"log_ratio": 5.0}, "log", 5),
        ({"beta": 0.5}, "effective", (1 - 0.5**2) / (1 - 0.5)),  # two pictures hold Clean, one the other class
    ],
)
def test_the_settings_reach_the_weights(tmp_path, settings, scheme, ratio):
    paths = make(tmp_path, MASKS)
    run(*paths, settings=json.dumps(settings))
    weights = read_weights(paths[2], scheme, "picture")
    assert weights[5] / weights[0] == pytest.approx(ratio)


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
