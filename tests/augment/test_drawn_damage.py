"""Drawn damage: the mask names what can be seen, all of it, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patina.augment import drawn_damage

SIDE = 96
KINDS = {"dust": 3, "scratch": 4, "hair": 5, "foxing": 10}
each_kind = pytest.mark.parametrize(("name", "kind"), KINDS.items())


def sheet(level=190):
    """A paper of `level`, a little uneven."""
    grain = np.random.default_rng(0).normal(0, 2, (SIDE, SIDE, 1))
    return np.clip(np.array((level, level - 8, level - 25)) + grain, 0, 255).astype(np.uint8)


def drawn(name, image, mask, seed=1, share=0.02):
    return getattr(drawn_damage, name)(image, mask, seed=seed, share=share)


@each_kind
@pytest.mark.parametrize("level", [40, 128, 230])
def test_what_is_labelled_differs_visibly_from_the_ground(name, kind, level):
    image = sheet(level)
    painted, labels = drawn(name, image, np.zeros((SIDE, SIDE), np.uint8))
    change = np.abs(painted.astype(int) - image).max(axis=2)
    assert (labels == kind).any()
    assert change[labels == kind].min() >= 16


@each_kind
def test_what_differs_strongly_is_labelled(name, kind):
    painted, labels = drawn(name, sheet(), np.zeros((SIDE, SIDE), np.uint8))
    change = np.abs(painted.astype(int) - sheet()).max(axis=2)
    assert (labels[change > 100] == kind).all()
    assert (change > 60).any()


@each_kind
def test_about_the_asked_share_is_drawn(name, kind):
    shares = [np.mean(drawn(name, sheet(), np.zeros((SIDE, SIDE), np.uint8), seed)[1] == kind) for seed in range(12)]
    assert 0.25 * 0.02 < np.mean(shares) < 2.5 * 0.02


@each_kind
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31 - 1), left=st.integers(0, SIDE - 1))
def test_ignored_pixels_keep_picture_and_mask(name, kind, seed, left):
    image, mask = sheet(), np.zeros((SIDE, SIDE), np.uint8)
    mask[:, left:] = 255
    painted, labels = drawn(name, image, mask, seed)
    np.testing.assert_array_equal(labels[:, left:], 255)
    np.testing.assert_array_equal(painted[:, left:], image[:, left:])
    assert set(np.unique(labels)) <= {0, kind, 255}


def test_a_brown_spot_that_cannot_be_seen_on_black_is_not_labelled():
    _, labels = drawn("foxing", sheet(20), np.zeros((SIDE, SIDE), np.uint8))
    assert not labels.any()


def test_foxing_soaks_clean_paper_only():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, ::2] = 1
    painted, labels = drawn("foxing", sheet(), mask)
    np.testing.assert_array_equal(labels[:, ::2], 1)
    np.testing.assert_array_equal(painted[:, ::2], sheet()[:, ::2])
    assert (labels[:, 1::2] == 10).any()


def test_foxing_is_rust_brown():
    painted, labels = drawn("foxing", sheet(230), np.zeros((SIDE, SIDE), np.uint8))
    red, green, blue = painted[labels == 10].mean(axis=0)
    assert red > green + 20 > blue + 20


@pytest.mark.parametrize("name", ["dust", "scratch", "hair"])
def test_what_lies_on_top_covers_older_damage_in_the_mask_too(name):
    _, labels = drawn(name, sheet(), np.full((SIDE, SIDE), 1, np.uint8))
    assert set(np.unique(labels)) == {1, KINDS[name]}


@each_kind
def test_the_seed_decides_everything(name, kind):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    once, again, other = drawn(name, sheet(), mask), drawn(name, sheet(), mask), drawn(name, sheet(), mask, seed=2)
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[1], again[1])
    assert not np.array_equal(once[1], other[1])


@each_kind
def test_a_wholly_ignored_tile_stays_as_it_is(name, kind):
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    painted, labels = drawn(name, sheet(), mask)
    np.testing.assert_array_equal(painted, sheet())
    np.testing.assert_array_equal(labels, mask)
