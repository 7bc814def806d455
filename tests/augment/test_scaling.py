"""Reduced masks: thin damage survives, nothing is invented, unlabelled stays unlabelled."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patina.augment.scaling import reduce_mask, scale_mask
from patina.core.tiles import Geometry


def test_a_diagonal_scratch_stays_connected():
    mask = np.zeros((300, 300), np.uint8)
    cv2.line(mask, (5, 11), (290, 250), 4, 3)
    reduced = reduce_mask(mask, (75, 75))
    parts = cv2.connectedComponents(np.where(reduced == 4, np.uint8(1), np.uint8(0)), connectivity=8)[0] - 1
    assert parts == 1
    assert 16 * np.count_nonzero(reduced == 4) <= 1.25 * np.count_nonzero(mask)


def test_a_large_class_gives_way_only_where_the_thin_one_is():
    mask = np.full((100, 100), 10, np.uint8)
    mask[:, 48:52] = 5
    reduced = reduce_mask(mask, (25, 25))
    assert np.count_nonzero(reduced == 5) == 25
    assert np.count_nonzero(reduced == 10) == 600


def test_the_larger_share_wins_among_broad_classes():
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 20:] = 1
    reduced = reduce_mask(mask, (10, 10))
    assert (reduced[:, :5] == 0).all()
    assert (reduced[:, 5:] == 1).all()


def test_a_thin_class_does_not_reach_into_unlabelled_pixels():
    mask = np.full((40, 40), 255, np.uint8)
    mask[:, 20] = 4
    assert (reduce_mask(mask, (10, 10)) == 255).all()


@given(
    mask=arrays.arrays(np.uint8, st.tuples(st.integers(4, 40), st.integers(4, 40)), elements=st.sampled_from([0, 1, 4, 5, 12, 255])),
    shrink=st.floats(0.2, 1.0),
)
def test_no_class_is_invented(mask, shrink):
    size = max(1, int(mask.shape[1] * shrink)), max(1, int(mask.shape[0] * shrink))
    reduced = reduce_mask(mask, size)
    assert reduced.shape == (size[1], size[0])
    assert set(np.unique(reduced)) <= set(np.unique(mask))


@pytest.mark.parametrize(
    ("geometry", "shape"),
    [
        (Geometry(tile_size=32, scale_rule="native"), (60, 90)),
        (Geometry(tile_size=32, scale_rule="squash"), (32, 32)),
        (Geometry(tile_size=32, scale_rule="max_side", max_side=45), (30, 45)),
    ],
)
def test_mask_and_picture_keep_the_same_size(geometry, shape):
    assert scale_mask(np.zeros((60, 90), np.uint8), geometry).shape == shape
    assert geometry.scaled(np.zeros((60, 90, 3), np.uint8)).shape[:2] == shape
