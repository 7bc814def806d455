"""The tiles artifact: what is written is what is read, and nothing half-written is believed."""

import json
import resource

import numpy as np
import pytest

from patina.core.artifact import seal
from patina.core.errors import DataRefused, StorageError
from patina.core.tiles import Geometry, TileRecord, TileWriter, open_tiles

NATIVE = Geometry(tile_size=32, scale_rule="native")


def tile(value: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(value).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return image, np.full((32, 32), value, np.uint8)


def record(source: str, split: str = "train", **changes) -> TileRecord:
    return TileRecord(source, f"group of {source}", split, -1, "original", 3, 4, 32, 20, 0.5, **changes)


def add_all(folder, values):
    with TileWriter(folder, NATIVE) as writer:
        for value in values:
            writer.add(*tile(value), record("a"))


def write(folder, sources):
    with TileWriter(folder, NATIVE) as writer:
        for value, source in enumerate(sources):
            writer.add(*tile(value), record(source))
    seal(folder, "tiles", inputs={}, config={}, image="test")


def test_reads_back_pixels_provenance_and_geometry(tmp_path):
    with TileWriter(tmp_path, Geometry(tile_size=32, scale_rule="max_side", max_side=512)) as writer:
        writer.add(*tile(5), record("a", transforms=[{"name": "blur", "sigma": 0.7}], donors=["b"]))
        writer.add(*tile(255), record("v", split="val"))
    seal(tmp_path, "tiles", inputs={}, config={}, image="test")
    tiles = open_tiles(tmp_path)
    np.testing.assert_array_equal(tiles.images[0], tile(5)[0])
    assert set(np.unique(tiles.masks[1])) == {255}
    first = tiles.table.iloc[0]
    assert first[["source", "group", "fold", "x", "y", "width", "height", "scale"]].tolist() == ["a", "group of a", -1, 3, 4, 32, 20, 0.5]
    assert json.loads(first["transforms"]) == [{"name": "blur", "sigma": 0.7}]
    assert json.loads(first["donors"]) == ["b"]
    assert tiles.geometry.max_side == 512
    assert tiles.rows("train").tolist() == [0]
    assert tiles.rows("val").tolist() == [1]


def test_tiles_are_mapped_not_loaded(tmp_path):
    write(tmp_path, ["a"] * 3)
    tiles = open_tiles(tmp_path)
    assert isinstance(tiles.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tiles.masks[0] = 0


def test_order_follows_the_source_whatever_the_order_of_writing(tmp_path):
    pictures = {"b": [1, 2], "a": [3], "c": [4, 5]}
    digests = set()
    for number, order in enumerate(("bac", "abc", "cba")):
        folder = tmp_path / str(number)
        with TileWriter(folder, NATIVE) as writer:
            for source in order:
                for value in pictures[source]:
                    writer.add(*tile(value), record(source))
        digests.add(seal(folder, "tiles", inputs={}, config={}, image="test").digest)
        assert open_tiles(folder).masks[:, 0, 0].tolist() == [3, 1, 2, 4, 5]
        assert not list(folder.glob(".*"))
    assert len(digests) == 1


@pytest.mark.parametrize("value", [16, 100, 254])
def test_refuses_a_mask_value_that_is_no_class(tmp_path, value):
    with pytest.raises(DataRefused, match=rf"\[{value}\]"):
        add_all(tmp_path, [value])


def test_refuses_a_tile_of_another_size(tmp_path):
    with pytest.raises(DataRefused, match="expected uint8"), TileWriter(tmp_path, Geometry(tile_size=64, scale_rule="native")) as writer:
        writer.add(*tile(0), record("a"))


def test_a_failed_writer_leaves_nothing(tmp_path):
    with pytest.raises(DataRefused):
        add_all(tmp_path, [0, 1, 99])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write tiles"):
            add_all(tmp_path, [1] * 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write tiles"), TileWriter(tmp_path / "file", NATIVE):
        pass


def test_a_table_that_does_not_fit_the_arrays_is_refused(tmp_path):
    write(tmp_path / "two", ["a", "b"])
    write(tmp_path / "three", ["a", "b", "c"])
    (tmp_path / "two" / "tiles.parquet").write_bytes((tmp_path / "three" / "tiles.parquet").read_bytes())
    (tmp_path / "two" / "manifest.json").unlink()
    seal(tmp_path / "two", "tiles", inputs={}, config={}, image="test")
    with pytest.raises(DataRefused, match=r"images.npy is uint8 \(2, 32, 32, 3\), expected uint8 \(3, 32, 32, 3\)"):
        open_tiles(tmp_path / "two")


def test_pickled_arrays_are_never_loaded(tmp_path):
    write(tmp_path, ["a"])
    np.save(tmp_path / "masks.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "manifest.json").unlink()
    seal(tmp_path, "tiles", inputs={}, config={}, image="test")
    with pytest.raises(DataRefused, match="cannot be read"):
        open_tiles(tmp_path)


@pytest.mark.parametrize(
    ("geometry", "size", "expected"),
    [
        (Geometry(tile_size=64, scale_rule="native"), (4000, 30), (4000, 30)),
        (Geometry(tile_size=64, scale_rule="squash"), (4000, 30), (64, 64)),
        (Geometry(tile_size=64, scale_rule="max_side", max_side=1000), (4000, 3000), (1000, 750)),
        (Geometry(tile_size=64, scale_rule="max_side", max_side=1000), (800, 600), (800, 600)),
        (Geometry(tile_size=64, scale_rule="max_side", max_side=100), (9000, 3), (100, 1)),
    ],
)
def test_scaled_size(geometry, size, expected):
    assert geometry.scaled_size(*size) == expected
    assert geometry.scaled(np.zeros((size[1], size[0], 3), np.uint8)).shape == (expected[1], expected[0], 3)


def test_reducing_a_picture_averages_areas():
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(Geometry(tile_size=32, scale_rule="max_side", max_side=40).scaled(stripes)).tolist() == [100]


@pytest.mark.parametrize(("rule", "max_side"), [("native", 512), ("squash", 512), ("max_side", None)])
def test_a_geometry_that_contradicts_itself_is_refused(rule, max_side):
    with pytest.raises(ValueError, match="does not fit"):
        Geometry(tile_size=64, scale_rule=rule, max_side=max_side)
