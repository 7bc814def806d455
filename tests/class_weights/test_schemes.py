"""Loss weights: finite, mean one over what is present, rarer never lighter, no picture decisive when pictures are counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from patina.class_weights.schemes import class_shares, class_weights
from patina.class_weights.settings import ClassWeightSettings
from patina.core.weights import COUNTED, SCHEMES

UNLIMITED = ClassWeightSettings(max_ratio=None)

pixels = st.integers(0, 10**9) | st.just(0)
tables = arrays(np.int64, st.tuples(st.integers(1, 6), st.just(16)), elements=pixels).filter(np.any)
schemes, ways = st.sampled_from(SCHEMES), st.sampled_from(COUNTED)
settings = st.builds(
    ClassWeightSettings, max_ratio=st.none() | st.floats(1, 1e5), log_ratio=st.floats(1, 1e3), beta=st.floats(1e-3, 1 - 1e-9)
)


@given(counts=tables, scheme=schemes, counted=ways, settings=settings)
def test_weights_are_finite_positive_and_of_mean_one_over_present_classes(counts, scheme, counted, settings):
    weights = class_weights(counts, scheme, counted, settings)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert weights[counts.any(0)].mean() == pytest.approx(1)


@given(counts=tables, scheme=schemes, counted=ways, settings=settings)
def test_an_absent_class_weighs_as_much_as_the_heaviest_present_one(counts, scheme, counted, settings):
    weights = class_weights(counts, scheme, counted, settings)
    present = counts.any(0)
    assert (weights[~present] == weights[present].max()).all()


@given(counts=tables, scheme=st.sampled_from(["none", "inverse", "inverse_sqrt", "log"]), counted=ways, settings=settings)
def test_a_rarer_class_never_weighs_less(counts, scheme, counted, settings):
    weights = class_weights(counts, scheme, counted, settings)
    order = np.argsort(class_shares(counts, counted), kind="stable")
    assert (np.diff(weights[order]) <= 1e-12 * weights.max()).all()


@given(counts=tables, scheme=schemes, counted=ways, max_ratio=st.floats(1, 1e4))
def test_the_ratio_is_kept(counts, scheme, counted, max_ratio):
    weights = class_weights(counts, scheme, counted, ClassWeightSettings(max_ratio=max_ratio))
    assert weights.max() / weights.min() <= max_ratio * (1 + 1e-9)


# Three pictures with 100, 400 and 500 labelled pixels of three classes, and one without any.
PICTURES = np.array([[80, 20, 0], [300, 0, 100], [500, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ("pixel", [880 / 1000, 20 / 1000, 100 / 1000]),
        ("picture", [(0.8 + 0.75 + 1) / 3, 0.2 / 3, 0.25 / 3]),
    ],
)
def test_shares_of_pixels_and_mean_shares_of_pictures(counted, expected):
    assert class_shares(PICTURES, counted).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scheme", "counted", "expected"),
    [
        ("none", "pixel", [1, 1, 1]),
        ("none", "picture", [1, 1, 1]),
        ("inverse", "pixel", [1, 44, 8.8]),
        ("inverse", "picture", [1, 12.75, 10.2]),
        ("inverse_sqrt", "pixel", [1, 6.63325, 2.96648]),
        ("inverse_sqrt", "picture", [1, 3.57071, 3.19374]),
        ("log", "pixel", [1, 36, 21.1143]),  # 1 + 35 ln 8.8 / ln 44
        ("log", "picture", [1, 36, 32.9319]),  # 1 + 35 ln 10.2 / ln 12.75
        ("effective", "pixel", [1, 1.75, 1.75]),  # beta 0.5: 0.5 / 0.875 for three pictures, 0.5 / 0.5 for one
        ("effective", "picture", [1, 1.75, 1.75]),
        ("median_frequency", "pixel", [1, 4.4, 3.52]),  # 880 / 1000, 20 / 100 and 100 / 400 of the pictures that hold the class
        ("median_frequency", "picture", [1, 4.25, 3.4]),  # 0.85, 0.2 and 0.25
    ],
)
def test_known_weights_as_multiples_of_the_first_class(scheme, counted, expected):
    weights = class_weights(PICTURES, scheme, counted, ClassWeightSettings(max_ratio=None, beta=0.5))
    assert (weights / weights[0]).tolist() == pytest.approx(expected, rel=1e-5)


def test_log_weights_of_equally_frequent_classes_are_equal():
    assert class_weights(np.array([[5, 5, 0]]), "log", "pixel", UNLIMITED).tolist() == [1, 1, 1]


def test_the_log_ratio_is_the_largest_over_the_smallest_weight():
    weights = class_weights(PICTURES, "log", "pixel", ClassWeightSettings(log_ratio=7.0))
    assert weights.max() / weights.min() == pytest.approx(7)


@given(counts=tables, scheme=schemes, picture=st.integers(0, 5))
def test_a_scan_of_a_hundred_times_the_pixels_counts_like_any_other_picture(counts, scheme, picture):
    scanned = counts.copy()
    scanned[picture % len(counts)] *= 100
    weights = class_weights(scanned, scheme, "picture", UNLIMITED)
    assert weights.tolist() == class_weights(counts, scheme, "picture", UNLIMITED).tolist()


@given(counts=tables.filter(lambda counts: (counts.any(1)).sum() > 1), picture=st.integers(0, 5))
def test_no_picture_moves_a_share_by_more_than_one_over_the_number_of_pictures(counts, picture):
    counts = counts[counts.any(1)]
    others = np.delete(counts, picture % len(counts), axis=0)
    moved = class_shares(counts, "picture") - class_shares(others, "picture")
    assert np.abs(moved).max() <= 1 / len(counts) + 1e-12


def test_counted_by_pixel_one_huge_scan_decides():
    # Ten small pictures hold as much of class 1 as of class 0; the eleventh is a scan without class 1.
    counts = np.array([[50, 50]] * 10 + [[100_000, 0]])
    assert class_shares(counts, "pixel")[1] == pytest.approx(500 / 101_000)
    assert class_shares(counts, "picture")[1] == pytest.approx(5 / 11)


@pytest.mark.parametrize(("scheme", "distinct"), [("inverse_sqrt", 16), ("inverse", 11), ("log", 16)])
def test_artefacts_real_shares_stay_distinct_under_the_default_limits(scheme, distinct):
    # The predecessor's clipping made 15 of 16 weights equal.
    shares = [87.498, 3.666, 4.864, 0.029, 0.2148, 0.0068, 0.2989, 0.8301, 0.0933, 0.5965, 1.0095, 0.0487, 0.1173, 0.0232, 0.0014, 0.7028]
    counts = np.round(np.array([shares]) * 1e6).astype(np.int64)
    assert len(set(class_weights(counts, scheme, "pixel", ClassWeightSettings()))) >= distinct


@pytest.mark.parametrize("counted", COUNTED)
def test_no_pixels_at_all_is_refused(counted):
    with pytest.raises(ValueError, match="at least one labelled pixel"):
        class_weights(np.zeros((3, 16), np.int64), "inverse", counted, UNLIMITED)
