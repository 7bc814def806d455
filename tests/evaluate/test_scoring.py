import numpy as np
import pytest
import torch

from patina.core.taxonomy import IGNORE
from patina.evaluate import scoring
from patina.evaluate.scoring import boundary_f1, calibrate, no_calibration, score_picture

HALF = np.zeros((40, 40), np.uint8)
HALF[:, 20:] = 1
BOTH = np.array([True, True])


def shifted(pixels):
    moved = np.zeros_like(HALF)
    moved[:, 20 + pixels :] = 1
    return moved


def test_a_confidence_that_equals_the_hit_rate_has_no_calibration_error():
    truth = np.array([1] * 8 + [0] * 2, np.uint8)
    result = calibrate(np.full(10, 0.8, np.float32), np.ones(10, np.uint8), truth, 10)
    assert result.error() == pytest.approx(0, abs=1e-6)


def test_calibration_error_is_the_weighted_gap_between_confidence_and_hits():
    truth, labels = np.array([1, 1, 1, 0], np.uint8), np.ones(4, np.uint8)
    confidence = np.array([0.95, 0.95, 0.55, 0.55], np.float32)
    result = calibrate(confidence, labels, truth, 10)
    assert result.pixels.tolist()[5] == 2
    assert result.correct.tolist()[9] == 2
    assert result.error() == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)


def test_unlabelled_pixels_are_not_calibrated():
    result = calibrate(np.ones(3, np.float32), np.zeros(3, np.uint8), np.full(3, IGNORE, np.uint8), 5)
    assert result.pixels.sum() == 0
    assert np.isnan(result.error())


def test_full_confidence_falls_into_the_last_bin():
    assert calibrate(np.ones(1, np.float32), np.zeros(1, np.uint8), np.zeros(1, np.uint8), 5).pixels.tolist() == [0, 0, 0, 0, 1]


def test_calibrations_of_parts_add_up():
    rng = np.random.default_rng(0)
    confidence, labels, truth = rng.random(100, dtype=np.float32), rng.integers(0, 3, 100, np.uint8), rng.integers(0, 3, 100, np.uint8)
    parts = no_calibration(7)
    for part in (slice(0, 30), slice(30, 100)):
        parts += calibrate(confidence[part], labels[part], truth[part], 7)
    whole = calibrate(confidence, labels, truth, 7)
    np.testing.assert_array_equal(parts.correct, whole.correct)
    assert parts.error() == pytest.approx(whole.error())


@pytest.mark.parametrize(("pixels", "expected"), [(0, 1), (2, 1), (3, 0)])
def test_an_outline_may_be_off_by_the_tolerance_and_no_more(pixels, expected):
    # The outlines of both sides move together; the tolerance of 2 px is given as a share of the diagonal.
    result = boundary_f1(HALF, shifted(pixels), BOTH, 2 / np.hypot(40, 40))
    np.testing.assert_allclose(result, expected)


def test_a_class_that_was_not_found_has_a_boundary_score_of_zero():
    assert boundary_f1(HALF, np.zeros_like(HALF), BOTH, 0.02)[1] == 0


def test_a_class_that_is_not_judged_or_has_no_outline_has_no_boundary_score():
    assert np.isnan(boundary_f1(HALF, HALF, np.array([True, False]), 0.02)[1])
    assert np.isnan(boundary_f1(np.zeros_like(HALF), HALF, BOTH, 0.02)[0])


def test_the_edge_of_an_unlabelled_area_is_no_outline():
    truth = np.full((40, 40), IGNORE, np.uint8)
    truth[10:30, 10:30] = 1
    assert np.isnan(boundary_f1(truth, np.ones_like(truth), BOTH, 0.02)).all()


def test_a_picture_in_strips_has_the_boundary_score_of_the_whole(monkeypatch):
    rng = np.random.default_rng(1)
    truth = np.kron(rng.integers(0, 3, (8, 8), np.uint8), np.ones((9, 9), np.uint8))
    prediction = np.kron(rng.integers(0, 3, (12, 12), np.uint8), np.ones((6, 6), np.uint8))
    whole = boundary_f1(truth, prediction, np.ones(3, bool), 0.03)
    monkeypatch.setattr(scoring, "_STRIP_PIXELS", 5 * truth.shape[1])
    np.testing.assert_allclose(boundary_f1(truth, prediction, np.ones(3, bool), 0.03), whole)


def test_strips_are_put_together_and_judged_where_there_is_truth():
    truth = np.array([[0, 1], [1, IGNORE], [0, 0]], np.uint8)
    chosen = torch.tensor([[0, 1], [0, 1], [0, 0]])
    probabilities = torch.nn.functional.one_hot(chosen, 2).permute(2, 0, 1).float()
    result = score_picture(iter([probabilities[:, :1], probabilities[:, 1:]]), truth, 2, 5, 0.02)
    assert result.prediction.tolist() == chosen.tolist()
    assert result.counts.tolist() == [[3, 0], [1, 1]]
    assert result.calibration.pixels.sum() == 5
