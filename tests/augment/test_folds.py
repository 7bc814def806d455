"""One tile set for a cross-validation: every picture both ways, and a fold's training that never meets it."""

import json

import numpy as np
import pytest

from patina.augment.stage import run
from patina.core.errors import DataRefused, UsageError
from patina.core.tiles import open_tiles

FOLDS = {"a": 0, "b": 1, "c": 2, "d": 3, "e": 0, "f": 1, "g": 2}
SPLITS = {0: "test", 1: "val", 2: "train", 3: "train"}


@pytest.fixture(scope="module")
def crossed(make_data, pictures):
    """The seven pictures in four folds, seen with fold 0 as the test side."""
    return make_data({name: (SPLITS[FOLDS[name]], *pictures[name][1:]) for name in pictures}, folds=FOLDS)


def augment(data, folder, **settings):
    run(*data, folder, tile_size=32, settings=json.dumps({"windows_per_picture": 3, "validation_windows_per_picture": 3} | settings))
    return open_tiles(folder)


@pytest.fixture(scope="module")
def tiles(crossed, tmp_path_factory):
    return augment(crossed, tmp_path_factory.mktemp("crossed"), folds="all")


def test_every_picture_gives_training_tiles_with_copies_and_unchanged_validation_tiles(tiles):
    levels = tiles.table.groupby(["source", "split"])["level"].agg(set).unstack()
    assert set(levels.index) == set(FOLDS)
    assert all(found == {"original", "light", "medium"} for found in levels["train"])
    assert all(found == {"original"} for found in levels["val"])
    assert (tiles.table["fold"] == tiles.table["source"].map(FOLDS)).all()


@pytest.mark.parametrize("fold", range(4))
def test_a_fold_is_neither_trained_on_nor_validated_on_and_the_next_one_validates(tiles, fold):
    train, val = tiles.table.iloc[tiles.rows("train", fold)], tiles.table.iloc[tiles.rows("val", fold)]
    assert set(train["split"]) == {"train"}
    assert set(val["split"]) == {"val"}
    following = (fold + 1) % 4
    assert set(val["fold"]) == {following}
    assert set(train["fold"]) == set(range(4)) - {fold, following}
    assert not set(train["source"]) & set(val["source"])


def test_over_all_folds_every_picture_validates_once(tiles):
    rows = [row for fold in range(4) for row in tiles.rows("val", fold)]
    assert sorted(rows) == [row["tile"] for row in tiles.table.to_dict("records") if row["split"] == "val"]


def test_without_a_fold_a_set_for_all_folds_gives_nothing_away(tiles):
    with pytest.raises(UsageError, match=r"expected one of 0..3: these tiles are for cross-validation"):
        tiles.rows("train")


@pytest.mark.parametrize("fold", [-1, 4])
def test_a_fold_that_is_not_there_is_refused(tiles, fold):
    with pytest.raises(UsageError, match=f"fold {fold} of a tile set"):
        tiles.rows("train", fold)


def test_a_set_of_one_split_knows_no_folds(crossed, tmp_path):
    single = augment(crossed, tmp_path)
    assert set(single.table["source"]) == {"b", "c", "d", "f", "g"}
    with pytest.raises(UsageError, match="expected none: these tiles are for one training"):
        single.rows("train", 1)


def test_a_holdout_has_no_folds_to_cross(make_data, pictures, tmp_path):
    with pytest.raises(DataRefused, match=r"has the folds \[-1\].*Set the split stage's protocol to 'kfold'"):
        augment(make_data(pictures), tmp_path, folds="all")


def test_a_fold_without_labelled_pixels_is_refused_by_name(make_data, pictures, tmp_path):
    blank = {name: (SPLITS[FOLDS[name]], *pictures[name][1:]) for name in pictures}
    blank["d"] = (*blank["d"][:2], np.full_like(blank["d"][2], 255))
    with pytest.raises(DataRefused, match="no train tile came out of 1 train pictures of fold 3"):
        augment(make_data(blank, folds=FOLDS), tmp_path, folds="all")
