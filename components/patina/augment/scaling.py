"""Masks at a smaller size without losing thin damage, and without making it fat.

Nearest-neighbour sampling drops a line of one pixel from most of a picture that shrinks by more than two: the predecessor
scored IoU 0 on Hair, Dust and Scratch for that reason alone. Giving a thin class every pixel that it touches keeps it, but
doubles its area and glues neighbours together. The rule here (`reduce_mask`) keeps components, area and gaps at once.

At 4:1, on six generated pictures of 2400 x 3200 px (`tests/benchmarks/thin_classes.py`; nearest neighbour | touched cells | this rule):

| class | components kept, % | area, ratio | merged, % |
|---|---|---|---|
| Dust | 92.6, 99.8, 100 | 1.00, 2.10, 1.07 | 0.6, 1.5, 0.0 |
| Scratch | 100, 100, 100 | 1.01, 1.75, 1.20 | 55.8, 86.2, 0.6 |
| Hair | 99.0, 100, 100 | 1.00, 1.51, 1.13 | 0.0, 0.0, 0.0 |

What it cannot keep: a line of one pixel has gaps at 4:1, since an unbroken one would have four times its area.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.augment.thin import thin_cells
from patina.core.errors import DataRefused
from patina.core.pictures import count_values, decode_mask, decode_picture
from patina.core.raw import RawRow
from patina.core.taxonomy import IGNORE
from patina.core.tiles import Geometry

THIN: tuple[int, ...] = (3, 4, 5, 7, 8, 9, 13)
"""Classes that come as lines or specks: Dust, Scratch, Hair, Fold, Writing, Cracks, Puncture."""


def decode_scaled(row: RawRow, geometry: Geometry) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """Picture (uint8 RGB [H, W, 3]) and mask (uint8 [H, W]) of `row` at the size of `geometry`, and scaled / native size.

    The picture is reduced before the mask is decoded: of a large picture only one of the two is in memory at its full size.

    Raises:
        DataRefused: picture or mask cannot be read, or they differ in size.
    """
    picture = decode_picture(row.image)
    height, width = picture.shape[:2]
    picture = geometry.scaled(picture)
    mask = decode_mask(row.annotation)
    if mask.shape != (height, width):
        raise DataRefused(
            f"picture {row.id} has {width} x {height} px, its mask {mask.shape[1]} x {mask.shape[0]}: "
            "expected the same size. Correct the annotation and run download again."
        )
    mask = scale_mask(mask, geometry)
    return picture, mask, float(np.sqrt(mask.size / (height * width)))


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
    """`mask` reduced by the share of area that each class has in a pixel of the result (a cell).

    A cell gets the broad class (or 255) with the largest share. The thin classes (`THIN`) then take the cells that
    `patina.augment.thin.thin_cells` gives them, the class of the smallest area first: each of their components takes its
    fullest cells until it has its own area, at least one. A thin class takes no cell that is half unlabelled, and only a
    cell without any broad class can go to it beyond that.

    Args:
        mask: uint8 [H, W], class ids and 255.
        size: (width, height) in pixels, neither larger than the mask's.
    """
    result = np.full((size[1], size[0]), IGNORE, np.uint8)
    largest, thin_largest, ignored = (np.zeros_like(result) for _ in range(3))
    leading = np.full_like(result, IGNORE)
    pixels = count_values(mask)
    shares: dict[int, NDArray[np.uint8]] = {}
    for value in np.flatnonzero(pixels).tolist():
        share = cv2.resize(np.where(mask == value, np.uint8(255), np.uint8(0)), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        best, into = (thin_largest, leading) if value in THIN else (largest, result)
        wins = share > best
        into[wins], best[wins] = value, share[wins]
        if value in THIN:
            shares[value] = share
        elif value == IGNORE:
            ignored = share
    alone = (largest == 0) & (thin_largest > 0)
    result[alone] = leading[alone]
    free = ignored < 128
    for value in sorted(shares, key=lambda value: (pixels[value], value)):
        taken = thin_cells(mask == value, shares[value], free)
        result[taken] = value
        free &= ~taken
    return result
