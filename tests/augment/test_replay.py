"""Every tile of a set can be made again from the raw artifact and its row alone."""

import json

import numpy as np
import pytest

from patina.augment.replay import replay
from patina.augment.stage import run
from patina.core.errors import DataRefused
from patina.core.raw import RawWriter, iter_rows
from patina.core.tiles import open_tiles

EVERYTHING = {
    "windows_per_picture": 3,
    "copies": {"light": 1, "medium": 2, "heavy": 3},
    "rare_below": 0.02,
    "rare_class_factor": 1.5,
    "paste": {"probability": 1, "levels": ["medium", "heavy"]},
}


def made(data, folder, **settings):
    run(*data, folder, tile_size=48, settings=json.dumps(EVERYTHING | settings))
    return open_tiles(folder)


@pytest.mark.parametrize("settings", [{}, {"max_side": 90}, {"geometry": "squash"}, {"folds": "all"}])
def test_every_tile_of_every_level_is_replayed_to_the_byte(make_data, speckled, tmp_path, settings):
    folds = dict(zip("abcdef", (2, 2, 2, 1, 0, 0), strict=True)) if "folds" in settings else None
    data = make_data(speckled, folds=folds)
    tiles = made(data, tmp_path / "tiles", **settings)
    assert set(tiles.table["level"]) == {"original", "light", "medium", "heavy"}
    for row in tiles.table.to_dict("records"):
        image, mask = replay(data[0], row, tiles.geometry)
        np.testing.assert_array_equal(image, tiles.images[row["tile"]])
        np.testing.assert_array_equal(mask, tiles.masks[row["tile"]])


@pytest.fixture(scope="session")
def finished(make_data, speckled, tmp_path_factory):
    """The raw folder, and tiles made from it."""
    data = make_data(speckled)
    return data[0], made(data, tmp_path_factory.mktemp("finished") / "tiles")


def test_refuses_a_raw_artifact_without_the_donor(finished, tmp_path):
    raw, tiles = finished
    row = next(row for row in tiles.table.to_dict("records") if json.loads(row["donors"]))
    with RawWriter(tmp_path / "less") as writer:
        writer.add(next(iter_rows(raw, {row["source"]})))
    with pytest.raises(DataRefused, match="1 of the 2 wanted ids are not there"):
        replay(tmp_path / "less", row, tiles.geometry)


def test_refuses_a_transform_of_another_version(finished):
    raw, tiles = finished
    row = tiles.table.to_dict("records")[0] | {"transforms": '[{"name": "sepia"}]'}
    with pytest.raises(DataRefused, match="cannot be applied"):
        replay(raw, row, tiles.geometry)


def test_refuses_a_window_outside_the_picture(finished):
    raw, tiles = finished
    with pytest.raises(DataRefused, match="lies outside its picture of 120 x 100 px"):
        replay(raw, tiles.table.to_dict("records")[0] | {"x": 100}, tiles.geometry)


@pytest.mark.parametrize("change", [{"x": 500}, {"x": -1}, {"at_x": 90}, {"damage": 7}, {"width": 0}])
def test_refuses_a_patch_that_the_donor_does_not_have(finished, change):
    raw, tiles = finished
    row = next(row for row in tiles.table.to_dict("records") if json.loads(row["donors"]))
    first, *rest = json.loads(row["transforms"])
    with pytest.raises(DataRefused, match="has no damage of class"):
        replay(raw, row | {"transforms": json.dumps([first | change, *rest])}, tiles.geometry)
