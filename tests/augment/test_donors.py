"""Copy-paste: what is pasted, from whom, and what the mask says of it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.augment.donors import PASTE, PatchPlace, cut_patches, draw_pastes, paste_patch, patch_at
from patina.augment.settings import AugmentSettings, Paste
from patina.augment.stage import run
from patina.core.tiles import open_tiles

FEATHER = 3


def donor():
    """A grey picture with a bright L-shaped damage of class 5, and a stain of class 10 beside it."""
    picture = np.full((60, 60, 3), 100, np.uint8)
    mask = np.zeros((60, 60), np.uint8)
    mask[20:30, 20:24] = mask[26:30, 20:34] = 5
    mask[18:34, 36:40] = 10
    picture[mask == 5] = 250
    picture[mask == 10] = 10
    return picture, mask


def patch(feather=FEATHER):
    (cut,) = cut_patches("donor", *donor(), {5: 4}, paste=Paste(feather=feather, largest=0.5), tile_size=48, seed=0)
    return cut


def pasted(image, mask, feather=FEATHER, turns=0, mirror=False):
    return paste_patch(image, mask, patch(feather), turns=turns, mirror=mirror, left=4, top=6)


@given(turns=st.integers(0, 3), mirror=st.booleans(), feather=st.integers(0, 6))
def test_the_mask_gains_the_component_and_nothing_else(turns, mirror, feather):
    image, mask = pasted(np.full((48, 48, 3), 60, np.uint8), np.full((48, 48), 2, np.uint8), feather, turns, mirror)
    assert np.count_nonzero(mask == 5) == np.count_nonzero(donor()[1] == 5)
    assert set(np.unique(mask)) == {2, 5}
    assert (image[mask == 5] == 250).all()


def test_the_rim_fades_from_the_donor_into_the_tile_and_keeps_the_tiles_labels():
    image, mask = pasted(np.full((48, 48, 3), 60, np.uint8), np.full((48, 48), 2, np.uint8))
    rim = (mask == 2) & (image[..., 0] != 60)
    assert rim.any()
    assert image[rim].min() > 60
    assert image[rim].max() < 100


def test_without_a_rim_only_the_damage_itself_changes_the_picture():
    image, mask = pasted(np.full((48, 48, 3), 60, np.uint8), np.zeros((48, 48), np.uint8), feather=0)
    np.testing.assert_array_equal(image[..., 0] != 60, mask == 5)


def test_other_damage_of_the_donor_is_not_carried_along():
    opacity = patch(6).opacity
    place = patch(6).place
    stain = donor()[1][place.y : place.y + place.height, place.x : place.x + place.width] == 10
    assert stain.any()
    assert (opacity[stain] == 0).all()


def test_unlabelled_pixels_stay_as_they_are():
    mask = np.zeros((48, 48), np.uint8)
    mask[:, 8:] = 255
    image, labels = pasted(np.full((48, 48, 3), 60, np.uint8), mask)
    assert (labels[:, 8:] == 255).all()
    assert (image[:, 8:] == 60).all()
    assert (labels[:, :8] == 5).any()


def test_a_patch_is_found_again_from_its_place_alone():
    first = patch()
    again = patch_at(*donor(), PatchPlace(**vars(first.place)))
    for name in ("image", "covered", "opacity"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))


@pytest.mark.parametrize(("change", "count"), [({}, 1), ({"largest": 0.2}, 0), ({"smallest": 1000}, 0)])
def test_damage_that_is_too_large_or_too_small_is_no_patch(change, count):
    paste = Paste(**({"largest": 0.5} | change))
    assert len(cut_patches("donor", *donor(), {5: 4}, paste=paste, tile_size=48, seed=0)) == count


def test_nothing_is_drawn_where_only_the_recipient_itself_has_the_class():
    pool = {(0, 5): [patch()], (1, 5): [patch()]}
    mask, paste = np.zeros((48, 48), np.uint8), Paste(probability=1)
    assert draw_pastes(pool, mask, "donor", 0, paste, np.random.default_rng(0)) == []
    assert draw_pastes(pool, mask, "other", 2, paste, np.random.default_rng(0)) == []
    assert draw_pastes(pool, mask, "other", 0, paste, np.random.default_rng(0))
    assert draw_pastes(pool, np.full_like(mask, 255), "other", 0, paste, np.random.default_rng(0)) == []


def pastes(tiles):
    return [
        (row, transform)
        for row in tiles.table.to_dict("records")
        for transform in json.loads(row["transforms"])
        if transform["name"] == PASTE
    ]


def augment(data, folder, **settings):
    chosen = {
        "windows_per_picture": 4,
        "copies": {"light": 0, "medium": 0, "heavy": 4},
        "rare_below": 0.02,
        "paste": {"probability": 1},
    }
    run(*data, folder, tile_size=48, settings=json.dumps(chosen | settings))
    return open_tiles(folder)


def test_in_a_holdout_donors_are_other_training_pictures_and_are_named(make_data, speckled, tmp_path):
    tiles = augment(make_data(speckled), tmp_path)
    found = pastes(tiles)
    assert {transform["source"] for _, transform in found} == {"a", "b"}
    assert {transform["damage"] for _, transform in found} == {5, 13}
    for row, transform in found:
        assert row["level"] == "heavy"
        assert transform["source"] != row["source"]
        assert transform["source"] in json.loads(row["donors"])
    pasting = {row["tile"] for row, _ in found}
    assert all((row["donors"] != "[]") == (row["tile"] in pasting) for row in tiles.table.to_dict("records"))


def test_test_and_validation_pictures_are_not_even_decoded_for_patches(make_data, speckled, tmp_path):
    plain = augment(make_data(speckled), tmp_path / "plain")
    broken = augment(make_data(speckled, broken=("e", "f")), tmp_path / "broken")
    np.testing.assert_array_equal(plain.images, broken.images)


def test_across_folds_nothing_is_pasted(make_data, speckled, tmp_path):
    folds = dict(zip("abcdef", (2, 2, 2, 1, 0, 0), strict=True))
    tiles = augment(make_data(speckled, folds=folds), tmp_path, folds="all")
    found = pastes(tiles)
    assert found
    assert all(folds[transform["source"]] == row["fold"] == folds[row["source"]] for row, transform in found)


def test_pastes_do_not_depend_on_workers_or_the_order_of_rows(make_data, speckled, tmp_path):
    digests = {
        augment(make_data(speckled, order=order), tmp_path / f"{order}{workers}", workers=workers).manifest.digest
        for order, workers in (("abcdef", 1), ("fedcba", 3))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "pastes"),
    [({}, False), ({"copies": {"heavy": 0.5}}, True), ({"copies": {"heavy": 1}, "paste": {"probability": 0}}, False)],
)
def test_without_copies_that_may_receive_patches_none_is_cut(change, pastes):
    assert AugmentSettings.model_validate_json(json.dumps(change)).pastes is pastes
