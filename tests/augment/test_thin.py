"""Thin damage at a quarter of its size: components kept, areas kept, gaps kept."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patina.augment.scaling import THIN, reduce_mask
from patina.augment.thin import thin_cells
from patina.damage.kinds import draw
from patina.damage.look import draw_look


def labelled(mask, value):
    return cv2.connectedComponents(np.where(mask == value, np.uint8(1), np.uint8(0)), connectivity=8)


def places(mask, reduced, value):
    """Pairs (component before, component after or 0) over the pixels of the class."""
    (_, before), (_, after) = labelled(mask, value), labelled(reduced, value)
    y, x = np.nonzero(mask == value)
    cell = after[y * reduced.shape[0] // mask.shape[0], x * reduced.shape[1] // mask.shape[1]]
    return np.unique(np.stack([before[y, x], cell], 1), axis=0)


@pytest.fixture(scope="module")
def large():
    """A mask of 1600 x 2000 px with dust, scratches and hair as they are drawn on large pictures."""
    rng = np.random.default_rng(3)
    picture = np.full((1600, 2000, 3), 0.5, np.float32)
    mask = np.zeros((1600, 2000), np.uint8)
    look = draw_look(rng, picture)
    for kind, share in ((4, 0.004), (3, 0.0008), (5, 0.0006)):
        draw(kind, rng, picture, mask, look, int(share * mask.size))
    return mask


@pytest.mark.parametrize("value", [3, 4, 5])
def test_at_four_to_one_dust_scratches_and_hair_keep_components_area_and_gaps(large, value):
    reduced = reduce_mask(large, (500, 400))
    pairs = places(large, reduced, value)
    count = labelled(large, value)[0] - 1
    kept = pairs[pairs[:, 1] > 0]
    assert len(np.unique(kept[:, 0])) >= 0.95 * count
    shared = np.bincount(kept[:, 1]) > 1
    assert np.count_nonzero(np.bincount(kept[shared[kept[:, 1]], 0])) <= 0.05 * count
    area = 16 * np.count_nonzero(reduced == value) / np.count_nonzero(large == value)
    assert 0.7 <= area <= 1.3


def test_nearest_neighbour_loses_what_the_rule_keeps(large):
    nearest = cv2.resize(large, (500, 400), interpolation=cv2.INTER_NEAREST)
    lost = [
        len(set(range(1, labelled(large, 3)[0])) - set(pairs[pairs[:, 1] > 0, 0]))
        for pairs in (places(large, nearest, 3), places(large, reduce_mask(large, (500, 400)), 3))
    ]
    assert lost[0] > lost[1] == 0


@pytest.mark.parametrize("value", THIN)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_line_as_wide_as_a_cell_stays_unbroken_wherever_it_lies(value, factor):
    for column in range(100, 112):
        mask = np.zeros((240, 240), np.uint8)
        mask[:, column : column + factor] = value
        assert (reduce_mask(mask, (240 // factor,) * 2) == value).any(axis=1).all()


@pytest.mark.parametrize("factor", [2, 4, 6])
def test_a_line_of_one_pixel_keeps_its_area_and_is_thinned_evenly(factor):
    mask = np.zeros((240, 240), np.uint8)
    mask[:, 101] = 5
    rows = np.flatnonzero((reduce_mask(mask, (240 // factor,) * 2) == 5).any(axis=1))
    assert factor**2 * len(rows) / 240 == pytest.approx(1.2, abs=0.1)
    assert np.diff(rows).max() <= 2 * factor


def test_two_specks_in_neighbouring_cells_stay_two_as_long_as_one_has_another_cell():
    mask = np.zeros((40, 40), np.uint8)
    mask[8:11, 4:8] = 3  # fills the cell at 1
    mask[8:11, 9:16] = 3  # in the cells at 2 and 3
    reduced = reduce_mask(mask, (10, 10))
    assert labelled(reduced, 3)[0] - 1 == 2


def test_many_specks_below_a_cell_are_all_kept_at_one_cell_each():
    mask = np.zeros((120, 120), np.uint8)
    mask[4::12, 4::12] = 3
    reduced = reduce_mask(mask, (30, 30))
    assert np.count_nonzero(reduced == 3) == 100


def test_a_broad_band_of_a_thin_class_does_not_grow():
    mask = np.zeros((200, 200), np.uint8)
    mask[61:94] = 7
    assert np.count_nonzero(reduce_mask(mask, (50, 50)) == 7) * 16 == pytest.approx(33 * 200, rel=0.05)


def test_an_absent_class_takes_nothing():
    nothing = thin_cells(np.zeros((20, 20), bool), np.zeros((5, 5), np.uint8), np.ones((5, 5), bool))
    assert nothing.shape == (5, 5)
    assert not nothing.any()


@given(
    covered=arrays.arrays(np.bool_, st.tuples(st.integers(6, 40), st.integers(6, 40))),
    free=st.floats(0, 1),
    shrink=st.floats(0.2, 1),
)
def test_only_free_cells_that_hold_the_class_are_taken_and_each_component_gets_one_it_may_have(covered, free, shrink):
    shape = max(1, int(covered.shape[0] * shrink)), max(1, int(covered.shape[1] * shrink))
    share = cv2.resize(covered.astype(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_AREA).reshape(shape)
    allowed = np.random.default_rng(0).random(shape) < free
    taken = thin_cells(covered, share, allowed)
    touched = np.zeros(shape, bool)
    y, x = np.nonzero(covered)
    touched[y * shape[0] // covered.shape[0], x * shape[1] // covered.shape[1]] = True
    assert not (taken & ~(allowed & touched)).any()
    assert taken.any() == (allowed & touched).any()
