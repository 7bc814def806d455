"""The three levels: no class invented, borders ignored, picture and mask together, every parameter recorded."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patina.augment import levels
from patina.augment.levels import apply_all, draw, generator

SIDE = 48
CHANGED = ("light", "medium", "heavy")


def every_transform():
    """One drawn example of each transform that any level knows."""
    found = {}
    for copy in range(80):
        for level in CHANGED:
            for transform in draw(level, generator(0, "picture", level, copy)):
                found.setdefault(transform["name"], transform)
    return found


EXAMPLES = every_transform()
SHAPES = ("orient", "turn", "elastic", "grid", "optical")
DRAWN = {"dust": 3, "scratch": 4, "hair": 5, "foxing": 10}


def picture():
    return np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def test_every_transform_is_drawn_by_some_level():
    assert set(EXAMPLES) == {*levels._TILE, *levels._IMAGE}


@given(
    mask=arrays.arrays(np.uint8, (SIDE, SIDE), elements=st.sampled_from([*range(16), 255])),
    level=st.sampled_from(CHANGED),
    copy=st.integers(0, 10_000),
)
def test_no_level_invents_a_class_but_what_it_draws(mask, level, copy):
    transforms = draw(level, generator(1, "a", level, copy))
    image, labels = apply_all(picture(), mask, transforms)
    assert image.shape == (SIDE, SIDE, 3)
    assert image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {*np.unique(mask), 255, *drawn_classes(transforms)}


def drawn_classes(transforms):
    return {DRAWN[transform["name"]] for transform in transforms if transform["name"] in DRAWN}


@given(
    mask=arrays.arrays(np.uint8, (SIDE, SIDE), elements=st.sampled_from([0, 1, 7, 255])),
    name=st.sampled_from(sorted(EXAMPLES)),
)
def test_no_transform_changes_its_input_or_invents_a_class(mask, name):
    image, before = picture(), mask.copy()
    changed, labels = apply_all(image, mask, [EXAMPLES[name]])
    np.testing.assert_array_equal(mask, before)
    np.testing.assert_array_equal(image, picture())
    assert changed.shape == image.shape
    assert changed.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {*np.unique(before), 255, *drawn_classes([EXAMPLES[name]])}


@pytest.mark.parametrize(
    ("name", "change"),
    [("turn", {"degrees": 12.0, "scale": 0.8}), ("elastic", {"strength": 0.05}), ("optical", {"bend": 0.2}), ("grid", {})],
)
def test_what_comes_from_outside_the_tile_is_ignored_never_clean(name, change):
    mask = np.full((SIDE, SIDE), 3, np.uint8)
    _, labels = apply_all(picture(), mask, [EXAMPLES[name] | change])
    assert 0 not in labels
    if name != "grid":  # a grid stretches inside the tile only
        assert (labels == 255).any()


@pytest.mark.parametrize("name", SHAPES)
def test_picture_and_mask_move_together(name):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 10:40] = 1
    mask[30:44, 20:30] = 1
    image = np.repeat((mask * 250)[..., None], 3, axis=2)
    moved, labels = apply_all(image, mask, [EXAMPLES[name]])
    counted = labels != 255
    assert np.count_nonzero((moved[..., 0] > 125)[counted] != (labels == 1)[counted]) <= 0.02 * mask.size


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - set(SHAPES) - set(DRAWN)))
def test_looks_change_and_labels_do_not(name):
    mask = np.random.default_rng(2).integers(0, 16, (SIDE, SIDE), dtype=np.uint8)
    image, labels = apply_all(picture(), mask, [EXAMPLES[name]])
    np.testing.assert_array_equal(labels, mask)
    assert not np.array_equal(image, picture())


def test_light_only_orients_and_tones():
    drawn = [transform["name"] for copy in range(50) for transform in draw("light", generator(0, "a", "light", copy))]
    assert set(drawn) == {"orient", "tone"}


def test_only_heavy_draws_damage():
    mild = {
        transform["name"]
        for level in ("light", "medium")
        for copy in range(50)
        for transform in draw(level, generator(0, "a", level, copy))
    }
    assert not mild & set(DRAWN)


def test_damage_comes_after_ageing_and_before_light_and_camera():
    ageing, capture = {"yellowing", "fading", "foxing"}, {"uneven_light", "vignette", "noise", "scanner_bands", "low_resolution", "jpeg"}
    for copy in range(100):
        names = [transform["name"] for transform in draw("heavy", generator(0, "a", "heavy", copy))]
        stages = [0 if name in ageing else 1 if name in DRAWN else 2 for name in names if name in ageing | set(DRAWN) | capture]
        assert stages == sorted(stages)


def test_no_single_look_hides_a_thin_line():
    image = np.full((SIDE, SIDE, 3), 120, np.uint8)
    image[:, 23:25] = 200
    for copy in range(60):
        for level in CHANGED:
            for transform in draw(level, generator(0, "line", level, copy)):
                if transform["name"] not in (*SHAPES, *DRAWN):
                    seen = apply_all(image, np.zeros((SIDE, SIDE), np.uint8), [transform])[0].astype(float)
                    ground = (seen[:, 18:20].mean() + seen[:, 28:30].mean()) / 2
                    assert seen[:, 23:25].mean() - ground > 0.45 * 80, transform


def test_light_loses_no_pixel():
    mask = np.random.default_rng(2).integers(0, 16, (SIDE, SIDE), dtype=np.uint8)
    _, labels = apply_all(picture(), mask, draw("light", generator(0, "a", "light", 3)))
    np.testing.assert_array_equal(np.bincount(labels.ravel(), minlength=256), np.bincount(mask.ravel(), minlength=256))


@pytest.mark.parametrize("level", CHANGED)
def test_the_recorded_json_makes_the_same_tile_again(level):
    mask = np.random.default_rng(2).integers(0, 16, (SIDE, SIDE), dtype=np.uint8)
    for copy in range(20):
        drawn = draw(level, generator(7, "a", level, copy))
        first = apply_all(picture(), mask, drawn)
        again = apply_all(picture(), mask, json.loads(json.dumps(drawn)))
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])


def test_chance_depends_on_seed_source_level_and_copy_alone():
    base = draw("medium", generator(0, "a", "medium", 0))
    assert draw("medium", generator(0, "a", "medium", 0)) == base
    for other in (
        generator(1, "a", "medium", 0),
        generator(0, "b", "medium", 0),
        generator(0, "a", "heavy", 0),
        generator(0, "a", "medium", 1),
    ):
        assert draw("medium", other) != base


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_stay_in_range(value):
    flat = np.full((SIDE, SIDE, 3), value, np.uint8)
    for name, transform in EXAMPLES.items():
        image, _ = apply_all(flat, np.zeros((SIDE, SIDE), np.uint8), [transform])
        # An overflow of uint8 would turn white into black or the other way round.
        assert abs(float(image.mean()) - value) < 130, name
