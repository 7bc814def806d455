import numpy as np
import pytest

from patina.compare.bootstrap import interval, resample
from patina.core.confusion import mean_iou

from .conftest import counts_of


def each_its_own(pictures):
    return np.arange(pictures)


def test_equal_models_are_equal_in_every_resample():
    counts = counts_of(12, 0.6)
    draws = resample(np.stack([counts, counts]), each_its_own(12), 300, 0)
    np.testing.assert_array_equal(draws.miou[0], draws.miou[1])


def test_the_same_seed_gives_the_same_resamples_whatever_models_take_part():
    one, two = counts_of(12, 0.6), counts_of(12, 0.7)
    alone, together = (resample(np.stack(models), each_its_own(12), 700, 5) for models in ([one], [two, one]))
    np.testing.assert_allclose(alone.miou[0], together.miou[1])
    assert not np.allclose(alone.miou[0], resample(np.stack([one]), each_its_own(12), 700, 6).miou[0])


def test_pictures_of_one_group_never_part():
    counts = counts_of(12, np.linspace(0.2, 0.9, 12))
    pairs = np.repeat(np.arange(6), 2)
    merged = counts.reshape(6, 2, 16, 16).sum(1)
    apart, together = resample(counts[None], pairs, 200, 0), resample(merged[None], np.arange(6), 200, 0)
    np.testing.assert_allclose(apart.miou, together.miou)


def test_fewer_groups_make_a_wider_interval():
    counts = counts_of(24, np.tile([0.3, 0.9], 12))[None]
    widths = [np.ptp(interval(resample(counts, groups, 2000, 0).miou[0], 0.95)) for groups in (np.arange(24), np.arange(24) % 2)]
    assert widths[1] > 1.5 * widths[0]


def test_a_rare_class_never_leaves_the_mean():
    # One picture in twelve shows a class that the model misses: leaving it out would lift the score by a third.
    counts = counts_of(12, 1.0, classes=(0, 1))
    counts[3, 5, 0] = 50
    draws = resample(counts[None], each_its_own(12), 500, 0)
    assert draws.miou.max() < 0.67
    assert np.median(draws.miou) == pytest.approx(mean_iou(counts.sum(0)), abs=0.01)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held, trials = 0, 120
    population = counts_of(4000, np.random.default_rng(9).beta(4, 3, 4000), seed=9)
    truth = mean_iou(population.sum(0))
    for trial in range(trials):
        chosen = np.random.default_rng(trial).integers(0, 4000, 25)
        low, high = interval(resample(population[None, chosen], each_its_own(25), 400, trial).miou[0], 0.95)
        held += low <= truth <= high
    assert 0.87 < held / trials <= 1


def test_the_baseline_is_the_same_truth_called_clean():
    counts = counts_of(8, 0.5)
    calling_clean = np.zeros_like(counts)
    calling_clean[:, :, 0] = counts.sum(2)
    draws = resample(np.stack([counts, calling_clean]), each_its_own(8), 200, 0)
    np.testing.assert_allclose(draws.clean, draws.miou[1])


def test_an_interval_leaves_the_same_share_on_either_side():
    assert interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
