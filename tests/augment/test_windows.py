"""Windows: full coverage, nothing counted twice, rare damage first, within the budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.augment.windows import Window, cut, spread, training_windows, valid_share, validation_windows

TILE = 32
sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))


def choose(mask, **changes):
    settings = {"budget": 10, "overlap": 0.25, "min_valid_share": 0.1, "damage_share": 0.5, "rarity": range(1, 16)}
    return training_windows(mask, TILE, rng=np.random.default_rng(0), **(settings | changes))


def holds(mask, window, value):
    return bool((mask[window.y : window.y + TILE, window.x : window.x + TILE] == value).any())


@given(size=sizes, overlap=st.floats(0, 0.9))
def test_training_windows_lie_inside_differ_and_cover_everything(size, overlap):
    mask = np.zeros(size, np.uint8)
    windows = choose(mask, budget=10_000, overlap=overlap, min_valid_share=0.0)
    covered = np.zeros(size, bool)
    for window in windows:
        assert 0 <= window.x <= max(0, size[1] - TILE)
        assert 0 <= window.y <= max(0, size[0] - TILE)
        covered[window.y : window.y + TILE, window.x : window.x + TILE] = True
    assert covered.all()
    assert len(set(windows)) == len(windows)


@given(size=sizes)
def test_validation_counts_every_pixel_exactly_once(size):
    mask = np.ones(size, np.uint8)
    picture = np.zeros((*size, 3), np.uint8)
    counted = 0
    for window in validation_windows(mask, TILE, budget=10_000, min_valid_share=0.0):
        image, labels, (width, height) = cut(picture, mask, window, TILE)
        assert image.shape == (TILE, TILE, 3)
        assert (width, height) == (min(TILE, size[1]), min(TILE, size[0]))
        counted += np.count_nonzero(labels == 1)
    assert counted == mask.size


def test_the_last_validation_window_shows_the_picture_instead_of_padding():
    picture = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    mask = np.zeros((32, 40), np.uint8)
    first, last = validation_windows(mask, TILE, budget=9, min_valid_share=0.0)
    assert (first, last) == (Window(0, 0), Window(8, 0, counted_left=24))
    image, labels, _ = cut(picture, mask, last, TILE)
    np.testing.assert_array_equal(image, picture[:, 8:])
    assert (labels[:, :24] == 255).all()
    assert (labels[:, 24:] == 0).all()


def test_a_picture_smaller_than_the_tile_is_reflected_and_its_padding_never_counts():
    picture = np.arange(20 * 10 * 3, dtype=np.uint8).reshape(20, 10, 3)
    image, labels, size = cut(picture, np.full((20, 10), 7, np.uint8), Window(0, 0), TILE)
    assert size == (10, 20)
    np.testing.assert_array_equal(image[:20, :10], picture)
    np.testing.assert_array_equal(image[:20, 10], picture[:, 8])
    assert (labels[:20, :10] == 7).all()
    assert np.count_nonzero(labels != 255) == 200


def test_the_rarest_damage_of_a_picture_gets_its_window_first():
    mask = np.zeros((300, 300), np.uint8)
    mask[:150] = 2
    mask[290, 290] = 5
    assert holds(mask, choose(mask, budget=2, rarity=[5, 2])[0], 5)
    assert holds(mask, choose(mask, budget=2, rarity=[2, 5])[0], 2)


def test_the_classes_take_turns_on_the_damage_share():
    mask = np.zeros((300, 300), np.uint8)
    mask[10, 10:290], mask[100:200, 20:280], mask[250, 10:290] = 4, 1, 9
    windows = choose(mask, budget=20, damage_share=0.6, rarity=[9, 4, 1])
    assert len(windows) == 20
    for damage in (9, 4, 1):
        assert sum(holds(mask, window, damage) for window in windows[:12]) >= 3


@pytest.mark.parametrize("damage_share", [0.0, 0.5, 1.0])
def test_the_budget_holds(damage_share):
    mask = np.zeros((400, 400), np.uint8)
    mask[50:350:7] = 9
    assert len(choose(mask, budget=17, damage_share=damage_share)) == 17


def test_windows_without_enough_labels_are_skipped_even_on_damage():
    mask = np.full((200, 200), 255, np.uint8)
    mask[:60, :60] = 0
    mask[150, 150] = 14
    windows = choose(mask, budget=50, min_valid_share=0.5)
    assert windows
    assert all(valid_share(mask, window, TILE) >= 0.5 for window in windows)
    assert choose(np.full((200, 200), 255, np.uint8)) == []


def test_a_spread_choice_leaves_no_column_or_row_out():
    grid = [Window(x, y) for y in range(0, 70, 10) for x in range(0, 50, 10)]
    chosen = spread(grid, 7)  # every fifth of this grid would be one column
    assert len({window.x for window in chosen}) >= 3
    assert len({window.y for window in chosen}) >= 4
    assert chosen == sorted(chosen, key=grid.index)


def test_a_spread_choice_keeps_away_from_what_is_taken():
    grid = [Window(x, 0) for x in range(0, 100, 10)]
    assert spread(grid, 1, taken=[Window(90, 0)]) == [Window(0, 0)]


@pytest.mark.parametrize("choose_windows", [choose, lambda mask, **settings: validation_windows(mask, TILE, budget=10, **settings)])
def test_a_sparsely_labelled_picture_gives_its_best_labelled_window(choose_windows):
    mask = np.full((4 * TILE, 4 * TILE), 255, np.uint8)
    mask[:3, 3 * TILE : 3 * TILE + 10] = 0  # 30 labelled pixels in the upper right corner
    (window,) = choose_windows(mask, min_valid_share=0.5)
    assert (mask[window.y : window.y + TILE, window.x : window.x + TILE] == 0).sum() == 30
    assert choose_windows(np.full_like(mask, 255), min_valid_share=0.5) == []
