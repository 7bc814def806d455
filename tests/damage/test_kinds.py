"""Every kind of damage is drawn into picture and mask together, in the amount asked for, and nowhere else."""

import numpy as np
import pytest

from patina.core.taxonomy import IGNORE, NUM_CLASSES
from patina.damage.kinds import ORDER, draw, draw_all
from patina.damage.look import draw_look

AREAL = (1, 2, 6, 7, 9, 10, 12, 15)
KINDS = tuple(range(1, NUM_CLASSES))


def _page(height: int = 220, width: int = 260) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    tone = np.linspace(0.35, 0.65, width, dtype=np.float32)[None, :, None] * np.array((1.0, 0.9, 0.8), np.float32)
    picture = np.tile(tone, (height, 1, 1)) + rng.normal(0, 0.02, (height, width, 1)).astype(np.float32)
    return np.clip(picture, 0, 1).astype(np.float32), np.zeros((height, width), np.uint8)


def _drawn(kind: int, seed: int, pixels: int = 2500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    before, mask = _page()
    picture = before.copy()
    draw(kind, np.random.default_rng(seed), picture, mask, draw_look(np.random.default_rng(seed), before), pixels)
    return before, picture, mask


@pytest.mark.parametrize("kind", KINDS)
def test_marks_only_its_own_class_and_keeps_the_picture_in_range(kind: int) -> None:
    _, picture, mask = _drawn(kind, seed=1)
    assert set(np.unique(mask)) == {0, kind}
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_changes_the_marked_pixels_more_than_the_others(kind: int) -> None:
    # Averaged over looks: one picture may have ink or dust of nearly the colour below it.
    inside, outside = [], []
    for seed in range(6):
        before, picture, mask = _drawn(kind, seed)
        change = np.abs(picture - before).mean(axis=2)
        inside.append(change[mask == kind].mean())
        outside.append(change[mask == 0].mean())
    assert np.mean(inside) > 3 * np.mean(outside)


@pytest.mark.parametrize("kind", AREAL)
def test_covers_about_the_pixels_asked_for(kind: int) -> None:
    covered = [int((_drawn(kind, seed, 4000)[2] == kind).sum()) for seed in range(4)]
    assert 0.6 * 4000 < np.mean(covered) < 1.4 * 4000


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_draws_the_same(kind: int) -> None:
    _, first, first_mask = _drawn(kind, seed=5)
    _, second, second_mask = _drawn(kind, seed=5)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_mask, second_mask)


@pytest.mark.parametrize("kind", KINDS)
def test_background_is_never_marked(kind: int) -> None:
    picture, mask = _page()
    mask[:, :130] = IGNORE
    draw(kind, np.random.default_rng(2), picture, mask, draw_look(np.random.default_rng(2), picture), 2500)
    assert (mask[:, :130] == IGNORE).all()
    assert set(np.unique(mask[:, 130:])) <= {0, kind}


@pytest.mark.parametrize("kind", [0, 16, IGNORE])
def test_refuses_an_id_that_is_no_damage(kind: int) -> None:
    picture, mask = _page()
    with pytest.raises(ValueError, match=f"no drawing for class {kind}"):
        draw(kind, np.random.default_rng(0), picture, mask, draw_look(np.random.default_rng(0), picture), 100)


def test_every_kind_has_its_place_in_the_order() -> None:
    assert sorted(ORDER) == list(KINDS)


def test_later_damage_covers_earlier_damage() -> None:
    picture, mask = _page()
    draw_all(np.random.default_rng(4), picture, mask, draw_look(np.random.default_rng(4), picture), {10: mask.size, 12: 3000})
    assert (mask == 12).sum() > 2000
    assert (mask == 10).sum() > 0.8 * mask.size
