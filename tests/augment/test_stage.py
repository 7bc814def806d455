"""The augment stage: the right pictures, the same bytes for any order and number of workers, clear refusals."""

import json
import logging

import numpy as np
import pytest

from patina.augment.levels import apply_all
from patina.augment.stage import run
from patina.core.artifact import seal
from patina.core.errors import DataRefused, UsageError
from patina.core.tiles import open_tiles

TILE = 32


def augment(data, folder, tile_size=TILE, seed=0, **settings):
    run(*data, folder, tile_size=tile_size, seed=seed, settings=json.dumps(settings))
    return open_tiles(folder)


@pytest.fixture(scope="module")
def tiles(make_data, pictures, tmp_path_factory):
    copies = {"light": 1, "medium": 2, "heavy": 1}
    return augment(make_data(pictures), tmp_path_factory.mktemp("tiles"), windows_per_picture=6, copies=copies)


def test_only_training_and_validation_pictures_give_tiles(tiles):
    assert set(tiles.table["source"][tiles.rows("train")]) == {"a", "c", "e"}
    assert set(tiles.table["source"][tiles.rows("val")]) == {"d", "g"}
    assert (tiles.table["group"] == "group-" + tiles.table["source"]).all()


def test_test_pictures_are_not_even_decoded(make_data, pictures, tmp_path, tiles):
    data = make_data(pictures, broken=("b", "f"))
    again = augment(data, tmp_path, windows_per_picture=6, copies={"light": 1, "medium": 2, "heavy": 1})
    np.testing.assert_array_equal(again.images, tiles.images)


def test_training_gets_its_copies_and_validation_none(tiles):
    levels = tiles.table.groupby(["split", "level"]).size()
    originals = levels["train", "original"]
    assert originals == 3 * 6
    assert levels["train"].to_dict() == {"original": originals, "light": originals, "medium": 2 * originals, "heavy": originals}
    assert set(levels["val"].index) == {"original"}


def test_an_original_is_the_picture_itself(tiles, pictures):
    for row in tiles.table[tiles.table["level"] == "original"].itertuples():
        _, picture, mask = pictures[row.source]
        place = np.s_[row.y : row.y + TILE, row.x : row.x + TILE]
        np.testing.assert_array_equal(tiles.images[row.tile], picture[place])
        counted = tiles.masks[row.tile] != 255
        np.testing.assert_array_equal(tiles.masks[row.tile][counted], mask[place][counted])
        if row.split == "train":
            np.testing.assert_array_equal(tiles.masks[row.tile], mask[place])


def test_every_copy_can_be_made_again_from_its_provenance(tiles, pictures):
    for row in tiles.table[tiles.table["level"] != "original"].itertuples():
        _, picture, mask = pictures[row.source]
        place = np.s_[row.y : row.y + TILE, row.x : row.x + TILE]
        image, labels = apply_all(picture[place], mask[place], json.loads(row.transforms))
        np.testing.assert_array_equal(tiles.images[row.tile], image)
        np.testing.assert_array_equal(tiles.masks[row.tile], labels)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("order", ["abcdefg", "gfedcba", "dagcfbe"])
def test_the_bytes_do_not_depend_on_workers_or_the_order_of_rows(make_data, pictures, tiles, tmp_path, workers, order):
    data = make_data(pictures, order=order)
    again = augment(data, tmp_path, windows_per_picture=6, copies={"light": 1, "medium": 2, "heavy": 1}, workers=workers)
    assert again.manifest.digest == tiles.manifest.digest
    assert again.manifest.config_digest == tiles.manifest.config_digest


def test_another_seed_gives_other_tiles(make_data, pictures, tiles, tmp_path):
    again = augment(make_data(pictures), tmp_path, seed=1, windows_per_picture=6, copies={"light": 1, "medium": 2, "heavy": 1})
    assert again.manifest.digest != tiles.manifest.digest


def test_a_picture_keeps_its_tiles_when_others_leave(make_data, pictures, tmp_path):
    def of_a(opened):
        return opened.images[(opened.table["source"] == "a").to_numpy()]

    many = augment(make_data(pictures), tmp_path / "many")
    few = augment(make_data({name: row for name, row in pictures.items() if name != "c"}), tmp_path / "few")
    np.testing.assert_array_equal(of_a(many), of_a(few))


def test_squash_gives_one_tile_per_picture(make_data, pictures, tmp_path):
    tiles = augment(make_data(pictures), tmp_path, geometry="squash", copies={"light": 0, "medium": 0})
    assert len(tiles.table) == 5
    assert tiles.geometry.scale_rule == "squash"
    assert tiles.table["scale"].tolist() == pytest.approx([(TILE * TILE / (90 * 110)) ** 0.5] * 5)


def test_max_side_reduces_and_is_recorded(make_data, pictures, tmp_path):
    tiles = augment(make_data(pictures), tmp_path, max_side=55, copies={"light": 0, "medium": 0})
    assert tiles.geometry.max_side == 55
    assert tiles.table["scale"].tolist() == pytest.approx([0.5] * len(tiles.table))
    assert (tiles.table["x"] + TILE <= 55).all()
    assert (tiles.masks == 4).any()


def test_pictures_smaller_than_the_tile_are_padded(make_data, pictures, tmp_path):
    tiles = augment(make_data(pictures), tmp_path, tile_size=128, copies={"light": 0, "medium": 0})
    assert set(zip(tiles.table["width"], tiles.table["height"], strict=True)) == {(110, 90)}
    assert (tiles.masks[:, 90:] == 255).all()
    assert (tiles.masks[:, :, 110:] == 255).all()
    assert tiles.images[:, 90:].any()


@pytest.mark.parametrize("empty", ["train", "val"])
def test_refuses_to_go_on_without_training_or_validation_tiles(make_data, pictures, tmp_path, empty):
    blank = {
        name: (split, picture, np.full_like(mask, 255) if split == empty else mask) for name, (split, picture, mask) in pictures.items()
    }
    with pytest.raises(DataRefused, match=f"no {empty} tile came out of"):
        augment(make_data(blank), tmp_path / "tiles")
    assert not (tmp_path / "tiles" / "manifest.json").exists()


def test_refuses_a_mask_of_another_size_and_names_both(make_data, pictures, tmp_path):
    split, picture, mask = pictures["c"]
    with pytest.raises(DataRefused, match=r"picture c has 100 x 90 px, its mask 110 x 90"):
        augment(make_data(pictures | {"c": (split, picture[:, :100], mask)}), tmp_path)


def test_refuses_splits_of_other_pictures(make_data, pictures, tmp_path):
    raw, _ = make_data(pictures)
    _, splits = make_data({name: row for name, row in pictures.items() if name != "a"})
    with pytest.raises(DataRefused, match="another raw artifact"):
        run(raw, splits, tmp_path, tile_size=TILE)


def test_refuses_splits_that_name_unknown_pictures(make_data, pictures, tmp_path):
    raw, _ = make_data({name: row for name, row in pictures.items() if name != "a"})
    _, splits = make_data(pictures)
    (splits / "manifest.json").unlink()
    seal(splits, "splits", inputs={}, config={}, image="test")
    with pytest.raises(DataRefused, match="'a'"):
        run(raw, splits, tmp_path, tile_size=TILE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_per_picture": 3}, "windows_per_picture"),
        ({"copies": {"ligth": 3}}, r"copies\.light"),
        ({"geometry": "squash", "max_side": 512}, "max_side"),
        ({"overlap": 1.0}, "overlap"),
    ],
)
def test_wrong_settings_name_the_key(make_data, pictures, tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        augment(make_data(pictures), tmp_path, **settings)


def test_warns_of_classes_that_validation_alone_holds(make_data, pictures, tmp_path, caplog):
    split, picture, mask = pictures["d"]
    only_here = mask.copy()
    only_here[80:88, 40:60] = 14
    with caplog.at_level(logging.WARNING):
        augment(make_data(pictures | {"d": (split, picture, only_here)}), tmp_path)
    assert "in no training tile: Burn marks" in caplog.text


def test_the_contact_sheet_is_a_small_self_contained_fact(tiles, make_data, pictures, tmp_path):
    run(*make_data(pictures), tmp_path, tile_size=TILE)
    page = (tmp_path / "tiles.html").read_text()
    assert len(page) < 1_000_000
    assert page.count("data:image/jpeg;base64,") >= 12
    assert "<script" not in page
    assert "http" not in page
    assert "tiles.html" in tiles.manifest.facts
