"""Transforms that move pixels: exact where they can be, centred, and never labelling what they do not know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.augment import shape

SIDE = 40


def tile():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), rng.integers(0, 16, (SIDE, SIDE), dtype=np.uint8)


@given(turns=st.integers(0, 3), mirror=st.booleans())
def test_an_orientation_only_moves_pixels(turns, mirror):
    image, mask = tile()
    turned, labels = shape.orient(image, mask, turns=turns, mirror=mirror)
    first = (lambda array: array[:, ::-1]) if mirror else (lambda array: array)
    np.testing.assert_array_equal(turned, np.rot90(first(image), turns))
    np.testing.assert_array_equal(labels, np.rot90(first(mask), turns))


@pytest.mark.parametrize(
    ("transform", "nothing"),
    [
        (shape.turn, {"degrees": 0.0, "scale": 1.0}),
        (shape.elastic, {"seed": 1, "cells": 4, "strength": 0.0}),
        (shape.grid, {"columns": [1.0, 1.0, 1.0], "rows": [2.0, 2.0]}),
        (shape.optical, {"bend": 0.0}),
    ],
)
def test_no_distortion_leaves_the_tile_as_it_is(transform, nothing):
    image, mask = tile()
    same, labels = transform(image, mask, **nothing)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(labels, mask)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("bend", [-0.15, 0.15])
def test_a_lens_treats_all_sides_alike(bend, turns):
    x, y = shape.optical_places((SIDE, SIDE), bend=bend)
    away = np.hypot(x - (SIDE - 1) / 2, y - (SIDE - 1) / 2)
    np.testing.assert_allclose(away, np.rot90(away, turns), atol=1e-3)


def test_a_barrel_shrinks_the_rim_and_a_pincushion_enlarges_it():
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask = np.full((SIDE, SIDE), 2, np.uint8)
    _, barrel = shape.optical(image, mask, bend=0.15)
    _, pincushion = shape.optical(image, mask, bend=-0.15)
    assert barrel[0, 0] == 255
    assert barrel[SIDE // 2, SIDE // 2] == 2
    assert (pincushion == 2).all()


def test_a_grid_keeps_the_corners_and_the_order_of_lines():
    x, y = shape.grid_places((SIDE, SIDE), columns=[0.75, 1.25, 1.0], rows=[1.25, 0.8, 1.1, 0.9])
    assert (x[0, 0], y[0, 0]) == (0, 0)
    assert (x[-1, -1], y[-1, -1]) == pytest.approx((SIDE - 1, SIDE - 1))
    assert (np.diff(x, axis=1) > 0).all()
    assert (np.diff(y, axis=0) > 0).all()


@given(seed=st.integers(0, 2**31 - 1), cells=st.integers(3, 6), strength=st.sampled_from([0.01, 0.025]))
def test_an_elastic_displacement_has_the_stated_size(seed, cells, strength):
    x, y = shape.elastic_places((128, 128), seed=seed, cells=cells, strength=strength)
    moved = np.hypot(x - np.arange(128)[None], y - np.arange(128)[:, None])
    assert 0.3 * strength * 128 < np.sqrt(np.mean(moved**2) / 2) < 2 * strength * 128
