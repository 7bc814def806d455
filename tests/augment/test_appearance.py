"""Looks: what each does to a grey card, and what it leaves alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.augment import appearance

SIDE = 64


def card(level=128):
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def photograph():
    return np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("look", "nothing"),
    [
        (appearance.tone, {"gain": 1.0, "offset": 0.0}),
        (appearance.colour, {"hue": 0.0, "saturation": 1.0, "warmth": 0.0}),
        (appearance.noise, {"seed": 1, "sigma": 0.0, "grain": 1.0}),
        (appearance.yellowing, {"strength": 0.0}),
        (appearance.fading, {"strength": 0.0, "level": 200.0}),
        (appearance.vignette, {"strength": 0.0, "x": 0.4, "y": 0.6}),
        (appearance.uneven_light, {"strength": 0.0, "degrees": 30.0}),
        (appearance.scanner_bands, {"seed": 1, "upright": True, "period": 8.0, "strength": 0.0}),
    ],
)
def test_strength_nothing_leaves_the_picture_as_it_is(look, nothing):
    np.testing.assert_array_equal(look(photograph(), **nothing), photograph())


@given(x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7), strength=st.floats(0.3, 0.65))
def test_a_vignette_darkens_the_farthest_corner_by_its_strength_and_nothing_more(x, y, strength):
    seen = appearance.vignette(card(200), strength=strength, x=x, y=y)
    assert int(seen.min()) == pytest.approx(200 * (1 - strength), abs=1)
    assert int(seen.max()) <= 200


@pytest.mark.parametrize(("degrees", "bright"), [(0, np.s_[:, -1]), (90, np.s_[-1]), (180, np.s_[:, 0]), (270, np.s_[0])])
def test_light_comes_from_the_stated_side(degrees, bright):
    seen = appearance.uneven_light(card(100), strength=0.4, degrees=degrees)
    assert seen[bright].min() == 140
    assert seen.min() == 60


@pytest.mark.parametrize("upright", [True, False])
def test_scanner_bands_run_along_one_axis_and_repeat_with_their_period(upright):
    seen = appearance.scanner_bands(card(), seed=4, upright=upright, period=8.0, strength=0.05)
    lines = seen[..., 1] if upright else seen[..., 1].T
    assert (lines == lines[0]).all()
    spectrum = np.abs(np.fft.rfft(lines[0] - lines[0].mean()))
    assert np.argmax(spectrum) == SIDE // 8
    assert lines[0].std() == pytest.approx(0.05 * 128, rel=0.25)


def test_warm_and_cold_trade_red_for_blue():
    warm = appearance.colour(card(), hue=0.0, saturation=1.0, warmth=0.08)
    assert warm[0, 0, 0] > warm[0, 0, 1] > warm[0, 0, 2]


def test_yellowed_white_keeps_more_red_than_blue():
    red, green, blue = appearance.yellowing(card(255), strength=1.0)[0, 0]
    assert red > green > blue


def test_fading_draws_all_levels_together():
    faded = appearance.fading(photograph(), strength=0.4, level=180.0)
    assert np.ptp(faded) < 0.65 * np.ptp(photograph())


@pytest.mark.parametrize("grain", [1.0, 2.5])
def test_noise_is_grey_and_of_the_stated_size(grain):
    seen = appearance.noise(card(), seed=2, sigma=10.0, grain=grain).astype(int) - 128
    assert (seen[..., 0] == seen[..., 2]).all()
    assert 5 < seen.std() < 11
    assert abs(seen.mean()) < 2


def test_noise_does_not_wrap_round_at_white():
    assert appearance.noise(card(255), seed=2, sigma=20.0, grain=1.0).min() > 128


def test_a_jpeg_keeps_red_red():
    red = card(0)
    red[..., 0] = 220
    seen = appearance.jpeg(red, quality=30).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(seen, (220, 0, 0), atol=6)


@given(sigma=st.floats(0.3, 0.9))
def test_a_blur_keeps_the_mean(sigma):
    assert appearance.blur(photograph(), sigma=sigma).mean() == pytest.approx(photograph().mean(), abs=1.5)
