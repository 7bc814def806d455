"""How many copies a tile gets: whole numbers, chances, more for rare damage, and the predecessor's figures."""

import json

import numpy as np
import pytest

from patina.augment import levels
from patina.augment.chance import stream
from patina.augment.pictures import Surroundings, cut_picture
from patina.augment.rarity import Place, Rarity, rarities
from patina.augment.settings import PREDECESSOR_COPIES, AugmentSettings
from patina.augment.stage import run
from patina.core.raw import iter_rows, read_index
from patina.core.tiles import open_tiles


def tiles(data, folder, tile_size=32, **settings):
    run(*data, folder, tile_size=tile_size, settings=json.dumps(settings))
    return open_tiles(folder).table


def test_418_pictures_become_about_1460_squashed_tiles_with_the_predecessors_copies(make_data, pictures, monkeypatch):
    monkeypatch.setattr(levels, "apply_all", lambda image, mask, transforms: (image, mask))  # only the numbers matter here
    (row,) = iter_rows(make_data({"a": pictures["a"], "d": pictures["d"]})[0], {"a"})
    settings = AugmentSettings(geometry="squash", copies=PREDECESSOR_COPIES)
    around = Surroundings(settings.tile_geometry(32), settings, {-1: Rarity()}, {}, 0)
    made = [cut_picture(type(row)(**vars(row) | {"id": f"p{n}"}), Place("g", -1, ("train",)), around) for n in range(418)]
    assert sum(map(len, made)) == pytest.approx(1460, abs=25)
    assert {len(cuts) for cuts in made} == {3, 4}


def test_whole_numbers_of_copies_are_exact_and_a_chance_adds_at_most_one(make_data, pictures, tmp_path):
    table = tiles(make_data(pictures), tmp_path, copies={"light": 2, "medium": 0, "heavy": 1.5}, windows_per_picture=12)
    counts = table[table["split"] == "train"].groupby(["source", "x", "y", "level"]).size().unstack(fill_value=0)
    assert set(counts["light"]) == {2}
    assert set(counts["heavy"]) == {1, 2}
    assert "medium" not in counts


def test_a_tile_changes_no_other_when_a_chance_gives_it_one_copy_more(make_data, pictures, tmp_path):
    def heavy(folder, number):
        table = tiles(make_data(pictures), tmp_path / folder, copies={"light": 0, "medium": 0, "heavy": number}, windows_per_picture=12)
        chosen = table[table["level"] == "heavy"]
        return set(zip(chosen["source"], chosen["x"], chosen["y"], chosen["transforms"], strict=True))

    assert heavy("some", 0.4) < heavy("all", 1)


def test_tiles_with_a_rare_class_get_more_copies_by_the_factor(make_data, pictures, tmp_path):
    # In these pictures only Scratch (80 of 9,900 px) is below one per cent.
    chosen = {"copies": {"light": 1, "medium": 0}, "windows_per_picture": 12, "rare_below": 0.01, "rare_class_factor": 3}
    run(*make_data(pictures), tmp_path, tile_size=32, settings=json.dumps(chosen))
    opened = open_tiles(tmp_path)
    train = opened.table[opened.table["split"] == "train"]
    copies = train[train["level"] == "light"].groupby(["source", "x", "y"]).size()
    originals = train[train["level"] == "original"]
    assert {(opened.masks[row.tile] == 4).any() for row in originals.itertuples()} == {True, False}
    for row in originals.itertuples():
        assert copies[row.source, row.x, row.y] == (3 if (opened.masks[row.tile] == 4).any() else 1)


def test_rarity_is_counted_on_training_pictures_of_the_fold_alone(make_data, pictures):
    index = read_index(make_data(pictures)[0])
    places = {
        "a": Place("a", 0, ("train", "val")),
        "c": Place("c", 1, ("train", "val")),
        "d": Place("d", 2, ("val",)),
    }
    found = rarities(index, places, rare_below=0.01)
    assert set(found) == {0, 1}
    assert found[0].order == (4, 1)
    assert found[1].order == (4, 2)
    assert found[0].rare == {4}


def test_chance_depends_on_seed_and_purpose_alone():
    first = stream(1, "copies", "a", 3).random()
    assert stream(1, "copies", "a", 3).random() == first
    others = [stream(2, "copies", "a", 3), stream(1, "copies", "b", 3), stream(1, "copies", "a3"), stream(1, "paste", "a", 3)]
    assert len({first, *(other.random() for other in others)}) == 5
    assert np.isfinite(first)
