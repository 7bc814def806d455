"""How much a score would vary with other test pictures: the paired Bayesian bootstrap over groups (Rubin 1981).

Every group of related pictures (copies, details of one object) gets a random weight, flat over all ways to share one, and every
score is taken anew from the weighted counts; the interval holds the middle of these scores. Drawing groups with
replacement instead would often leave out the one picture that shows a rare class, so that most draws would average over
other classes than the score that they are to bound (seen: the middle of the draws 3 points above the score). Weights are never
zero, so that the classes stay. All models see the same weights, so that the differences between them are not blurred by
pictures that are hard for all. Single pixels are never drawn: neighbours in one picture are no independent evidence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patina.core.confusion import all_clean, mean_ious

_BATCH = 500


@dataclass(frozen=True)
class Resamples:
    """Scores of the reweighted test sets.

    Attributes:
        miou: float64 [models, replicates], dataset mIoU.
        clean: float64 [replicates], mIoU of calling everything Clean with the same weights.
    """

    miou: NDArray[np.float64]
    clean: NDArray[np.float64]


def resample(counts: NDArray[np.int64], groups: NDArray[np.int64], replicates: int, seed: int) -> Resamples:
    """Weighs the test groups anew `replicates` times.

    Args:
        counts: int64 [models, pictures, C, C], the same pictures for every model.
        groups: int64 [pictures], group number 0..G-1 of each picture.
        replicates: how many.
        seed: of the weights; equal seeds give equal weights whatever the models.
    """
    models, _, classes, _ = counts.shape
    number = int(groups.max()) + 1
    by_group = np.zeros((models, number, classes * classes))
    for group in range(number):
        by_group[:, group] = counts[:, groups == group].sum(1).reshape(models, -1)
    rng = np.random.default_rng(seed)
    miou, clean = np.empty((models, replicates)), np.empty(replicates)
    for first in range(0, replicates, _BATCH):
        part = slice(first, min(first + _BATCH, replicates))
        weights = rng.standard_exponential((part.stop - part.start, number))  # a flat Dirichlet up to its sum, which cancels in ratios
        pooled = (weights @ by_group).reshape(models, -1, classes, classes)
        miou[:, part] = mean_ious(pooled)
        clean[part] = mean_ious(all_clean(pooled[0]))
    return Resamples(miou, clean)


def interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The central `confidence` of `values` (float64 [replicates])."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
