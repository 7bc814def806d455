"""The contact sheet: which windows it shows, and what it says of them."""

import json

import numpy as np

from patina.augment.sheet import Tally
from patina.augment.stage import run
from patina.core.tiles import TileRecord


def record(source, x, level="original", split="train", fold=-1):
    return TileRecord(source, source, split, fold, level, x, 0, 32, 32, 1.0)


def mask(*classes):
    return np.array([*classes, *[0] * (16 - len(classes))], np.uint8).reshape(4, 4)


def test_windows_with_copies_of_more_levels_are_shown_first_then_those_with_more_damage():
    tally = Tally()
    tally.add(mask(1, 2, 3), record("many classes", 0))
    tally.add(mask(1), record("all levels", 0))
    tally.add(mask(1, 2), record("all levels", 9))
    tally.add(mask(1), record("all levels", 9, "heavy"))
    assert tally.richest("train", 5) == [("train", "all levels", 9, 0), ("train", "many classes", 0, 0)]
    assert tally.richest("train", 1) == [("train", "all levels", 9, 0)]


def test_tiles_are_counted_by_split_level_and_fold():
    tally = Tally()
    for fold in (0, 1, 1):
        tally.add(mask(1), record("a", fold, fold=fold))
    tally.add(mask(255), record("a", 0, split="val", fold=1))
    assert tally.count("train") == 3
    assert tally.count("train", fold=1) == 2
    assert tally.count("val", "original", fold=0) == 0
    assert tally.pixels("train").tolist()[:2] == [45, 3]
    assert tally.holding("val").tolist() == [1] + [0] * 15


def test_the_sheet_names_transforms_donors_and_the_picture_of_each_window(make_data, speckled, tmp_path):
    settings = {"copies": {"light": 1, "medium": 1, "heavy": 1}, "rare_below": 0.02, "paste": {"probability": 1}, "windows_per_picture": 4}
    run(*make_data(speckled), tmp_path, tile_size=48, settings=json.dumps(settings))
    text = (tmp_path / "tiles.html").read_text()
    assert "light: orient, tone" in text
    assert "paste of " in text
    assert "a at " in text
    assert "Training tiles come from 3 pictures, validation tiles from 1 others" in text


def test_a_set_for_all_folds_is_introduced_as_one(make_data, speckled, tmp_path):
    folds = dict(zip("abcdef", (2, 2, 2, 1, 0, 0), strict=True))
    run(*make_data(speckled, folds=folds), tmp_path, tile_size=48, settings='{"folds": "all", "windows_per_picture": 2}')
    assert "6 pictures give training tiles and, unchanged, validation tiles" in (tmp_path / "tiles.html").read_text()
