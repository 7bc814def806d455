"""One picture's scores: confusion counts, calibration and outlines, all on labelled pixels at native resolution."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from patina.core.confusion import confusion
from patina.core.taxonomy import IGNORE

_STRIP_PIXELS = 1 << 22


@dataclass(frozen=True)
class Calibration:
    """How often a prediction of a given confidence was right, in bins of equal width.

    Attributes:
        pixels: int64 [bins], labelled pixels whose highest probability falls into the bin.
        correct: int64 [bins], those of them whose class is right.
        confidence: float64 [bins], sum of their highest probabilities.
    """

    pixels: NDArray[np.int64]
    correct: NDArray[np.int64]
    confidence: NDArray[np.float64]

    def __add__(self, other: "Calibration") -> "Calibration":
        return Calibration(self.pixels + other.pixels, self.correct + other.correct, self.confidence + other.confidence)

    def error(self) -> float:
        """Expected calibration error, 0..1 (Guo et al. 2017, arXiv 1706.04599, eq. 3); NaN without a labelled pixel.

        ECE = sum over bins of |bin| / N * |accuracy(bin) - mean confidence(bin)|
        """
        total = int(self.pixels.sum())
        return float(np.abs(self.correct - self.confidence).sum() / total) if total else float("nan")


def no_calibration(bins: int) -> Calibration:
    """Calibration of nothing, to add to."""
    return Calibration(np.zeros(bins, np.int64), np.zeros(bins, np.int64), np.zeros(bins))


@dataclass(frozen=True)
class PictureScores:
    """What is known of one picture.

    Attributes:
        prediction: uint8 [H, W], class of every pixel, unlabelled ones included.
        counts: int64 [C, C], row = truth, column = prediction.
        calibration: over the labelled pixels.
        boundary: float64 [C], boundary F1 of each class; NaN where the truth has no outline of it.
    """

    prediction: NDArray[np.uint8]
    counts: NDArray[np.int64]
    calibration: Calibration
    boundary: NDArray[np.float64]


def score_picture(strips: Iterator[Tensor], truth: NDArray[np.uint8], classes: int, bins: int, tolerance: float) -> PictureScores:
    """Judges one picture.

    Args:
        strips: probabilities float32 [C, n, W] from top to bottom at native resolution.
        truth: uint8 [H, W], values 0..C-1 and 255.
        classes: C.
        bins: confidence bins.
        tolerance: how far outlines may lie apart, as a share of the diagonal.
    """
    prediction = np.empty_like(truth)
    calibration = no_calibration(bins)
    top = 0
    for strip in strips:
        confidence, labels = (part.cpu().numpy() for part in strip.max(0))
        rows = slice(top, top + labels.shape[0])
        prediction[rows] = labels.astype(np.uint8)
        calibration += calibrate(confidence, prediction[rows], truth[rows], bins)
        top = rows.stop
    counts = confusion(truth, prediction, classes)
    return PictureScores(prediction, counts, calibration, boundary_f1(truth, prediction, counts.sum(1) > 0, tolerance))


def calibrate(confidence: NDArray[np.float32], labels: NDArray[np.uint8], truth: NDArray[np.uint8], bins: int) -> Calibration:
    """Bins the labelled pixels by confidence.

    Args:
        confidence: float32 [...], highest probability, 0..1.
        labels: uint8 [...], its class.
        truth: uint8 [...], 255 = unlabelled.
        bins: number of bins of equal width over 0..1.
    """
    valid = truth != IGNORE
    sure = confidence[valid].astype(np.float64)
    place = np.clip((sure * bins).astype(np.intp), 0, bins - 1)
    hits = labels[valid] == truth[valid]
    return Calibration(
        np.bincount(place, minlength=bins),
        np.bincount(place[hits], minlength=bins),
        np.bincount(place, weights=sure, minlength=bins).astype(np.float64),
    )


def boundary_f1(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], present: NDArray[np.bool_], tolerance: float
) -> NDArray[np.float64]:
    """Boundary F1 of each class: do the outlines lie where they should (Csurka et al., BMVC 2013).

    An outline pixel counts as found if the other outline passes within `tolerance` x diagonal along rows and columns (Chebyshev
    distance: a square window is separable, so that its cost does not grow with its area). The edge of the picture and of
    unlabelled areas is no outline. Worked off in strips of rows with the tolerance as margin, so that memory stays flat.

    Args:
        truth: uint8 [H, W], values 0..C-1 and 255.
        prediction: uint8 [H, W].
        present: bool [C], classes to judge.
        tolerance: share of the diagonal.

    Returns:
        float64 [C], 0..1; NaN for a class that is not to be judged or has no outline in the truth.
    """
    height, width = truth.shape
    reach = max(1, round(tolerance * float(np.hypot(height, width))))
    margin, step = reach + 1, max(1, _STRIP_PIXELS // width)
    outlines = np.zeros((present.size, 4), np.int64)  # true, found of them; predicted, right of them
    for top in range(0, height, step):
        bottom = min(top + step, height)
        first, last = max(0, top - margin), min(height, bottom + margin)
        inner = slice(top - first, bottom - first)
        known, guessed = truth[first:last], prediction[first:last]
        ignored = (known == IGNORE).astype(np.uint8)
        for index in np.flatnonzero(present):
            true, drawn = (_outline((labels == index).astype(np.uint8), ignored) for labels in (known, guessed))
            parts = true, true & _widen(drawn, reach), drawn, drawn & _widen(true, reach)
            outlines[index] += [np.count_nonzero(part[inner]) for part in parts]
    true, found, drawn, right = outlines.T.astype(np.float64)
    recall = np.divide(found, true, out=np.full(present.size, np.nan), where=true > 0)
    precision = np.divide(right, drawn, out=np.zeros(present.size), where=drawn > 0)
    both = recall + precision
    return np.divide(2 * recall * precision, both, out=np.where(np.isnan(both), np.nan, 0.0), where=both > 0)


def _outline(mask: NDArray[np.uint8], ignored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    inside = cv2.erode(mask | ignored, np.ones((3, 3), np.uint8))
    return mask & (1 - inside) & (1 - ignored)


def _widen(outline: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    return cv2.dilate(outline, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(np.uint8, copy=False)
