"""Lays one picture over another and measures how far their grey values agree.

This is the step that tells a copy from a likeness: mosaics, printed text and shared ornaments have matching features in
many places, but the pixels around them disagree.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.likeness.features import DESCRIPTOR_NORM, Features, mirrored

LEAST_MATCHES: Final = 6
"""Fewer features that agree on one placement are chance: three of them fix the placement already."""
_RATIO = 0.85
_REACH = 3.0
"""Pixels of the grey copy that a feature may lie off its place."""
_STRETCH = 2.5
"""Largest ratio of the scales along both axes: more than a whole picture pressed into a square tile."""
_OVERLAP = 0.3
"""Least share of the smaller picture that lies within the other."""
_LEAST_PIXELS = 400
_LARGE = np.float32(1e9)


Grey = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""Grey values uint8 [h, w], and bool [h, w], False where the picture has a gap."""


@dataclass(frozen=True)
class Alignment:
    """How two pictures lie over each other.

    Attributes:
        correlation: of the grey detail where both overlap, -1..1.
        matches: features that agree on the placement.
        flipped: whether one is the mirror image of the other.
    """

    correlation: float
    matches: int
    flipped: bool


def align(left: Features, right: Features, flipped: bool) -> Alignment | None:
    """Lays `left`, or its mirror image if `flipped`, over `right`; None if no placement is found."""
    pairs = _matched(mirrored(left.descriptors) if flipped else left.descriptors, right.descriptors)
    if len(pairs) < LEAST_MATCHES:
        return None
    places, ours = left.points[pairs[:, 0]], (left.grey, left.shown)
    if flipped:
        places = np.column_stack((left.grey.shape[1] - 1 - places[:, 0], places[:, 1]))
        ours = np.ascontiguousarray(left.grey[:, ::-1]), np.ascontiguousarray(left.shown[:, ::-1])
    matrix, inliers = cv2.estimateAffine2D(
        places, right.points[pairs[:, 1]], method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=2000, confidence=0.995
    )
    matches = int(np.count_nonzero(inliers))
    if matches < LEAST_MATCHES:  # 0 where no placement was found at all
        return None
    correlation = overlaid(ours, (right.grey, right.shown), matrix.astype(np.float64))
    return None if correlation is None else Alignment(correlation, matches, flipped)


def overlaid(left: Grey, right: Grey, matrix: NDArray[np.float64]) -> float | None:
    """Correlation of the grey detail of two pictures where they overlap and both show something.

    Args:
        left: grey values and what is shown.
        right: likewise.
        matrix: float64 [2, 3], from places (x, y) in `left` to places in `right`.

    Returns:
        -1..1, or None where the placement is no plausible copy or the overlap too small.
    """
    scales = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if not 0.1 < scales[1] <= scales[0] < 10 or scales[0] / scales[1] > _STRETCH:
        return None
    scale = float(np.sqrt(scales[0] * scales[1]))
    if scale > 1:  # the coarser picture decides what can be compared
        left, right, matrix, scale = right, left, cv2.invertAffineTransform(matrix).astype(np.float64), 1 / scale
    height, width = right[0].shape
    smooth = cv2.GaussianBlur(left[0], (0, 0), 0.5 / scale) if scale < 0.9 else left[0]
    laid = cv2.warpAffine(smooth, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    covered = cv2.warpAffine(left[1].astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST).astype(bool) & right[1]
    if np.count_nonzero(covered) < max(_LEAST_PIXELS, _OVERLAP * min(left[1].sum() * scale**2, right[1].sum())):
        return None
    one, two = _detail(laid.astype(np.uint8, copy=False))[covered], _detail(right[0])[covered]
    one, two = one - one.mean(), two - two.mean()
    length = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / length if length > 0 else None


def _detail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey values with brightness and contrast made even, so that no strong edge or dark corner decides alone."""
    fine = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.2)
    local = fine - cv2.GaussianBlur(fine, (0, 0), 6)
    contrast = np.sqrt(cv2.GaussianBlur(local * local, (0, 0), 6))
    return (local / (contrast + 3)).astype(np.float32)


def _matched(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64 [m, 2]: features that choose each other and pass the ratio test of Lowe (2004)."""
    if len(left) < 2 or len(right) < 2:
        return np.zeros((0, 2), np.int64)
    products = left.astype(np.float32) @ right.astype(np.float32).T
    nearest, back = products.argmax(1), products.argmax(0)
    rows = np.arange(len(left))
    best = products[rows, nearest]
    products[rows, nearest] = -_LARGE
    unit = DESCRIPTOR_NORM**2
    clear = np.maximum(unit - best, 0) < _RATIO**2 * (unit - products.max(1))
    chosen = clear & (back[nearest] == rows)
    return np.column_stack((rows[chosen], nearest[chosen])).astype(np.int64)
