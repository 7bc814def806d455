"""Confusion counts and the scores made from them: the one definition of mIoU that every stage uses.

Counts are kept per picture and added up before any ratio is taken (dataset mIoU, as in Pascal VOC, Everingham et al. 2010):
a mean over pictures or batches would depend on how pictures are cut up, and would punish a picture without a rare class.
A class that the truth does not hold has no score (NaN), it neither helps nor harms a mean.
"""

import numpy as np
from numpy.typing import NDArray

from patina.core.errors import DataRefused
from patina.core.taxonomy import IGNORE

Counts = NDArray[np.int64 | np.float64]
"""Pixel counts, or counts weighted by a resampling; [..., C, C], row = truth, column = prediction."""

_BLOCK = 1 << 21  # pixels: bincount needs 8 bytes for each, a 133-Mpx picture must not cost 1 GB


def confusion(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """How many pixels of each true class were given each class.

    Args:
        truth: uint8, any shape, values 0..classes-1, or 255 for pixels that never count.
        prediction: uint8, the shape of `truth`; values 0..classes-1 wherever the truth counts.
        classes: number of classes, 1..255.

    Returns:
        int64 [classes, classes], row = truth, column = prediction.

    Raises:
        DataRefused: shapes or dtypes differ, or a value is out of range.
    """
    if truth.shape != prediction.shape or truth.dtype != np.uint8 or prediction.dtype != np.uint8:
        raise DataRefused(
            f"truth is {truth.dtype} {truth.shape}, prediction {prediction.dtype} {prediction.shape}: both should be uint8 of one shape."
        )
    flat_truth, flat_prediction = truth.reshape(-1), prediction.reshape(-1)
    pairs = np.zeros(1 << 16, np.int64)
    for start in range(0, flat_truth.size, _BLOCK):
        codes = flat_truth[start : start + _BLOCK].astype(np.intp)
        codes <<= 8
        codes |= flat_prediction[start : start + _BLOCK]
        pairs += np.bincount(codes, minlength=pairs.size)
    table = pairs.reshape(256, 256)
    table[IGNORE] = 0
    counts = table[:classes, :classes]
    if counts.sum() != table.sum():
        wrong = sorted({int(value) for value in np.flatnonzero(table.sum(1)) if value >= classes})
        what = "truth" if wrong else "prediction"
        wrong = wrong or sorted({int(value) for value in np.flatnonzero(table.sum(0)) if value >= classes})
        raise DataRefused(f"{what} holds the values {wrong}: expected 0..{classes - 1}, or {IGNORE} in the truth for pixels to ignore.")
    return counts.copy()


def iou(counts: Counts) -> NDArray[np.float64]:
    """Intersection over union (Jaccard index) of each class.

    Args:
        counts: int64 [..., C, C], row = truth, column = prediction.

    Returns:
        float64 [..., C], 0..1; NaN where the truth does not hold the class.
    """
    hits, truth, prediction = _marginals(counts)
    return _ratio(hits, truth + prediction - hits, truth > 0)


def f1(counts: Counts) -> NDArray[np.float64]:
    """F1 score (Dice coefficient) of each class, float64 [..., C]; NaN where the truth does not hold the class."""
    hits, truth, prediction = _marginals(counts)
    return _ratio(2 * hits, truth + prediction, truth > 0)


def recall(counts: Counts) -> NDArray[np.float64]:
    """Share of each true class that was found, float64 [..., C]; NaN where the truth does not hold the class."""
    hits, truth, _ = _marginals(counts)
    return _ratio(hits, truth, truth > 0)


def precision(counts: Counts) -> NDArray[np.float64]:
    """Share of each predicted class that is right, float64 [..., C]; NaN where nothing was predicted as the class."""
    hits, _, prediction = _marginals(counts)
    return _ratio(hits, prediction, prediction > 0)


def mean_ious(counts: Counts) -> NDArray[np.float64]:
    """Dataset mIoU of many pooled tables at once: int64 [..., C, C] -> float64 [...]; NaN for a table without a labelled pixel."""
    scores = iou(counts)
    present = ~np.isnan(scores)
    total = present.sum(-1)
    return _ratio(np.where(present, scores, 0.0).sum(-1), total, total > 0)


def mean_iou(counts: Counts) -> float:
    """Dataset mIoU, the project's primary metric: mean IoU over the classes present in the truth.

    Args:
        counts: int64 [C, C], added up over all pictures.

    Returns:
        0..1, or NaN if no pixel is labelled.
    """
    return float(mean_ious(counts))


def pixel_accuracy(counts: Counts) -> float:
    """Share of the labelled pixels of int64 [C, C] that are right, 0..1; NaN if there are none."""
    total = int(counts.sum())
    return float(np.trace(counts) / total) if total else float("nan")


def frequency_weighted_iou(counts: Counts) -> float:
    """Mean IoU weighted by each class's share of the true pixels of int64 [C, C], 0..1; NaN if there are none."""
    truth = counts.sum(-1)
    scores = iou(counts)
    return float(np.nansum(scores * truth) / truth.sum()) if truth.sum() else float("nan")


def all_clean(counts: Counts) -> Counts:
    """What the model that calls everything class 0 (Clean) would have got on the same truth: int64 [..., C, C] of the same shape."""
    baseline = np.zeros_like(counts)
    baseline[..., 0] = counts.sum(-1)
    return baseline


def _marginals(counts: Counts) -> tuple[Counts, Counts, Counts]:
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1), counts.sum(-2)


def _ratio(part: NDArray[np.generic], whole: NDArray[np.generic], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=defined)
