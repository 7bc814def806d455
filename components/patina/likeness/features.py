"""What is kept of a picture to recognise it again: local features, a small grey copy, and a thumbnail for pictures without texture.

Features are SIFT (Lowe 2004) with the square root of the normalised histograms (Arandjelović and Zisserman 2012). They are taken
from a copy of at most 40,000 pixels, and large ones come first: both make a picture and its reduction to 0.3 show the same
features. Mirrored descriptors need no second pass, because a mirrored gradient histogram holds the same numbers in another order.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_PIXELS: Final = 40_000
"""Area of the grey copy in pixels: finer detail seldom survives what copies go through, and costs time."""
MOST_FEATURES: Final = 300
"""Features kept per picture; a crop to 36 % of the area still shares about 40 of the first 150 with the whole."""
DESCRIPTOR_NORM: Final = 512
"""Length of a descriptor. Whole numbers of this size keep float32 products exact, whatever the order of the sums."""
THUMBNAIL: Final = 32
"""Side of the thumbnail in pixels."""

_CONTRAST = 0.02
"""Half of OpenCV's threshold, so that faint drawings on paper have features too."""
_FILLED_FROM = 6
"""Pixels around a gap whose mean fills it (standard deviation of a Gaussian)."""
_FLAT = 0.1
"""Grey levels: a thumbnail that varies less shows rounding only."""
_MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1][..., (0, 7, 6, 5, 4, 3, 2, 1)].ravel()
_HALF = 64
"""Mirroring swaps the numbers of the first half, two rows of histograms, with those of the second."""


@dataclass(frozen=True, eq=False)
class Features:
    """One picture, reduced to what recognises it.

    Attributes:
        points: float32 [n, 2], places (x, y) of the features in `grey`, the weightiest first; n <= `MOST_FEATURES`.
        descriptors: uint8 [n, 128], each of length about `DESCRIPTOR_NORM`.
        grey: uint8 [h, w], the picture at no more than `WORKING_PIXELS`; gaps are filled smoothly.
        shown: bool [h, w], False in gaps.
        thumbnail: float32 [`THUMBNAIL`, `THUMBNAIL`], grey without slow changes of brightness, of length 1; zeros for an even surface.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    shown: NDArray[np.bool_]
    thumbnail: NDArray[np.float32]


def describe(picture: NDArray[np.uint8], shown: NDArray[np.bool_] | None = None) -> Features:
    """The features of `picture`.

    Args:
        picture: uint8 [H, W, 3] RGB, any size.
        shown: bool [H, W], False where the picture shows nothing (gaps between windows); no feature is taken near there.
    """
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = (WORKING_PIXELS / (height * width)) ** 0.5
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    small, whole = grey.astype(np.uint8, copy=False), np.ones(grey.shape[:2], np.uint8)
    if shown is not None:
        whole = cv2.resize(shown.astype(np.uint8), small.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        small = _filled(small, whole)
    mask = None if shown is None else cv2.erode(whole, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    sift = cv2.SIFT_create(contrastThreshold=_CONTRAST)  # pyright: ignore[reportAttributeAccessIssue]  # missing in OpenCV's stubs
    keypoints, found = sift.detectAndCompute(small, mask)
    table = np.array([(*point.pt, point.size, point.response) for point in keypoints], np.float32).reshape(-1, 4)
    order = np.lexsort((table[:, 1], table[:, 0], -table[:, 3] * table[:, 2]))[:MOST_FEATURES]
    descriptors = np.zeros((0, 128), np.uint8) if found is None else _rooted(found[order])
    return Features(table[order, :2], descriptors, small, whole.astype(bool), _thumbnail(small))


def mirrored(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The descriptors (uint8 [n, 128]) that the same features have in the mirrored picture."""
    return descriptors[:, _MIRRORED]


def halves(descriptors: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What mirroring keeps and what it turns round, float32 [n, 64] each.

    For descriptors a and b, with the products e = kept(a) kept(b) and o = turned(a) turned(b), a b is (e + o) / 2 and mirrored(a) b
    is (e - o) / 2: both for the price of one.
    """
    first = descriptors[:, :_HALF].astype(np.float32)
    second = mirrored(descriptors)[:, :_HALF].astype(np.float32)
    return first + second, first - second


def _rooted(histograms: NDArray[np.float32]) -> NDArray[np.uint8]:
    total = np.maximum(histograms.sum(1, keepdims=True), 1)
    return np.minimum(np.round(DESCRIPTOR_NORM * np.sqrt(histograms / total)), 255).astype(np.uint8)


def _filled(grey: NDArray[np.uint8], whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`grey` with its gaps (0 in `whole`) filled from around them, so that their edges are no features."""
    weight = cv2.GaussianBlur(whole.astype(np.float32), (0, 0), _FILLED_FROM)
    around = cv2.GaussianBlur(np.where(whole, grey, 0).astype(np.float32), (0, 0), _FILLED_FROM) / np.maximum(weight, 1e-6)
    return np.where(whole, grey, np.round(around)).astype(np.uint8)


def _thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(grey.astype(np.float32), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    detail = small - cv2.GaussianBlur(small, (0, 0), 3)
    detail -= detail.mean()
    if detail.std() < _FLAT:
        return np.zeros_like(detail)
    return (detail / np.linalg.norm(detail)).astype(np.float32)
