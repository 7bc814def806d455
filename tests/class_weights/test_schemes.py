"""Loss weights: finite, mean one over what is present, rarer never lighter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina.class_weights.schemes import class_weights
from patina.core.weights import SCHEMES

counts = st.lists(st.integers(0, 10**9), min_size=16, max_size=16).filter(any).map(lambda values: np.array(values, np.int64))
schemes = st.sampled_from(SCHEMES)
ratios = st.none() | st.floats(1, 1e5)


@given(pixels=counts, scheme=schemes, max_ratio=ratios)
def test_weights_are_finite_positive_and_of_mean_one_over_present_classes(pixels, scheme, max_ratio):
    weights = class_weights(pixels, scheme, max_ratio)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert weights[pixels > 0].mean() == pytest.approx(1)


@given(pixels=counts, scheme=schemes, max_ratio=ratios)
def test_a_rarer_class_never_weighs_less_and_an_absent_one_as_much_as_the_rarest(pixels, scheme, max_ratio):
    weights = class_weights(pixels, scheme, max_ratio)
    order = np.argsort(pixels, kind="stable")
    assert (np.diff(weights[order]) <= 1e-12 * weights.max()).all()
    if (pixels == 0).any():
        assert weights[pixels == 0].tolist() == [weights[pixels > 0].max()] * int((pixels == 0).sum())


@given(pixels=counts, scheme=schemes, max_ratio=st.floats(1, 1e4))
def test_the_ratio_is_kept(pixels, scheme, max_ratio):
    weights = class_weights(pixels, scheme, max_ratio)
    assert weights.max() / weights.min() <= max_ratio * (1 + 1e-9)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("none", [1, 1, 1]),
        ("inverse", [1 / 7, 4 / 7, 16 / 7]),
        ("inverse_sqrt", [3 / 7, 6 / 7, 12 / 7]),
    ],
)
def test_known_weights(scheme, expected):
    assert class_weights(np.array([1600, 400, 100]), scheme, None).tolist() == pytest.approx(expected)


def test_artefacts_real_shares_stay_distinct_under_the_default_limit():
    # The predecessor's clipping made 15 of 16 weights equal.
    shares = [87.498, 3.666, 4.864, 0.029, 0.2148, 0.0068, 0.2989, 0.8301, 0.0933, 0.5965, 1.0095, 0.0487, 0.1173, 0.0232, 0.0014, 0.7028]
    pixels = np.round(np.array(shares) * 1e6).astype(np.int64)
    assert len(set(class_weights(pixels, "inverse_sqrt", 1000.0))) == 16
    assert len(set(class_weights(pixels, "inverse", 1000.0))) >= 11


def test_no_pixels_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one labelled pixel"):
        class_weights(np.zeros(16, np.int64), "inverse", None)
