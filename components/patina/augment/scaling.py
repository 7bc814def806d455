"""Masks at a smaller size without losing thin damage.

Nearest-neighbour sampling drops a line of one pixel from most of a picture that shrinks by more than two: the predecessor
scored IoU 0 on Hair, Dust and Scratch for that reason alone. Here each class is reduced by area, as the picture is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.pictures import count_values
from patina.core.taxonomy import IGNORE
from patina.core.tiles import Geometry

THIN: tuple[int, ...] = (3, 4, 5, 7, 8, 9, 13)
"""Classes that come as lines or specks: Dust, Scratch, Hair, Fold, Writing, Cracks, Puncture."""


def scale_mask(mask: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """`mask` (uint8 [H, W]) at the size of `geometry.scaled_size`: `reduce_mask`, or nearest where the picture is squashed."""
    height, width = mask.shape
    size = geometry.scaled_size(width, height)
    if size == (width, height):
        return mask
    if geometry.scale_rule == "squash":
        return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    return reduce_mask(mask, size)


def reduce_mask(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`mask` reduced by the share of area that each class has in a pixel of the result.

    A pixel gets the class (or 255) with the largest share; then a thin class (`THIN`) takes it where the thin class covers
    at least 1 / (2 f), f being the larger reduction factor, and 255 less than half. A line one pixel wide covers 1 / f of
    the pixels it crosses, or, if it falls between two, at least half of that in one of them: it stays unbroken.

    Args:
        mask: uint8 [H, W], class ids and 255.
        size: (width, height) in pixels, neither larger than the mask's.
    """
    height, width = mask.shape
    factor = max(width / size[0], height / size[1])
    result = np.full((size[1], size[0]), IGNORE, np.uint8)
    largest = np.zeros_like(result)
    thin = np.full_like(result, IGNORE)
    thin_largest = np.zeros_like(result)
    ignored = np.zeros_like(result)
    for value in np.flatnonzero(count_values(mask)).tolist():
        share = cv2.resize(np.where(mask == value, np.uint8(255), np.uint8(0)), size, interpolation=cv2.INTER_AREA)
        wins = share > largest
        result[wins], largest[wins] = value, share[wins]
        if value == IGNORE:
            ignored = share
        elif value in THIN:
            wins = share > thin_largest
            thin[wins], thin_largest[wins] = value, share[wins]
    # Shares are rounded to 1/255, so the threshold gives half a step.
    stays = (thin_largest + 0.5 >= 255 / (2 * factor)) & (ignored < 128)
    return np.where(stays, thin, result)
