"""Which cells of a smaller mask belong to a thin class: lines and specks that few cells hold for the most part.

A cell is one pixel of the smaller mask. Three things can go wrong, and each has its part of the rule: a component vanishes
(each has at least one cell), the class grows (each has at most the cells that its area fills), two components become one
(a cell beside a cell of another component is left out).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_ALLOWANCE = 1.2
"""Cells of a line as a multiple of its area: one three pixels wide, reduced by four, stays unbroken only with a third more.
The area has to stay within 30 %. Without this and the ridges (`_order`) a scratch falls into 2.1 parts, with both 1.02."""
_FULL = 230
"""Share of a cell (of 255) from which on it counts as full."""
_LINE = 3
"""Cells that a component has to fill before it may be a line: specks have no gaps to close."""
_STEPS = 24


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Every component with every cell that it touches, one line per pair.

    Attributes:
        component: 0..K-1, int64 [N].
        cell: flat index, int64 [N].
        pixels: of the component in the cell, int64 [N].
    """

    component: NDArray[np.int64]
    cell: NDArray[np.int64]
    pixels: NDArray[np.int64]


def thin_cells(covered: NDArray[np.bool_], share: NDArray[np.uint8], free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells that a thin class takes.

    Every component (8-connected) of a pixels takes its fullest cells: round(a / f) of them with f pixels to a cell, at least one; a
    line (three cells or more, less than half of them full) takes 1.2 times as many. Equally full cells are taken evenly
    along a line. Where the single cells of many specks come to more than 1.2 times the class's area, the other components
    get fewer in turn, but still one each: specks of less than f / 1.2 pixels on average make their class grow. A cell that
    touches one of another component is taken only where its component has no other.

    Args:
        covered: bool [H, W], where the class is.
        share: uint8 [h, w], the class's share of each cell in 1/255.
        free: bool [h, w], cells that may be taken.

    Returns:
        bool [h, w].
    """
    shape = share.shape
    if not covered.any():  # OpenCV 5.0 crashes the process when it labels an empty array
        return np.zeros(shape, np.bool_)
    pairs, areas = _pairs(covered, shape)
    keep = free.reshape(-1)[pairs.cell]
    order = _order(pairs, share)
    order = order[keep[order]]
    owner = np.full(share.size, -1, np.int64)
    owner[pairs.cell[order[::-1]]] = pairs.component[order[::-1]]  # written last: the fullest
    order = order[owner[pairs.cell[order]] == pairs.component[order]]
    component, cell = pairs.component[order], pairs.cell[order]
    contested = _contested(owner.reshape(shape)).reshape(-1)
    quota = _quota(component, cell, areas, share, covered.size / share.size)

    # Within a component: uncontested cells first, each group by fullness; stable, so the order above is kept.
    ranking = np.lexsort((contested[cell], component))
    component, cell = component[ranking], cell[ranking]
    first = np.searchsorted(component, component, side="left")
    wanted = np.arange(len(component)) - first < quota[component]
    taken = np.full(share.size, -1, np.int64)
    sure = wanted & ~contested[cell]
    taken[cell[sure]] = component[sure]
    grid = taken.reshape(shape)
    for index in np.flatnonzero(wanted & contested[cell]).tolist():
        y, x = divmod(int(cell[index]), shape[1])
        around = grid[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        if index == first[index] or np.isin(around, (-1, component[index])).all():
            grid[y, x] = component[index]
    return grid >= 0


def _pairs(covered: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[_Pairs, NDArray[np.int64]]:
    """Every pair of a component and a cell, and the components' areas in pixels (int64 [K])."""
    (height, width), (rows, columns) = covered.shape, shape
    left, top, across, down = cv2.boundingRect(covered.view(np.uint8))
    part = np.ascontiguousarray(covered[top : top + down, left : left + across])
    _, labels = cv2.connectedComponents(part.view(np.uint8), connectivity=8)
    y, x = np.divmod(np.flatnonzero(part), across)
    component = labels[y, x].astype(np.int64) - 1
    cell = ((y + top) * rows // height) * columns + (x + left) * columns // width
    keys, pixels = np.unique(component * (rows * columns) + cell, return_counts=True)
    return _Pairs(keys // (rows * columns), keys % (rows * columns), pixels), np.bincount(component)


def _order(pairs: _Pairs, share: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The pairs from the fullest cell to the emptiest; equally full ones in a sequence that spreads over the plane.

    On a ridge, where neither neighbour across is fuller, half a cell's content more is counted: a line that lies on the border
    of two cells else jumps from side to side.
    """
    padded = np.pad(share, 1)
    across = (share > padded[1:-1, :-2]) & (share >= padded[1:-1, 2:])
    down = (share > padded[:-2, 1:-1]) & (share >= padded[2:, 1:-1])
    fullness = pairs.pixels * np.where((across | down).reshape(-1)[pairs.cell], 3, 2)
    y, x = np.divmod(pairs.cell, share.shape[1])
    scattered = (x * 0.7548776662466927 + y * 0.5698402909980532) % 1.0  # R2 sequence, Roberts 2018
    return np.lexsort((scattered, -fullness)).astype(np.int64)


def _contested(owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Cells beside a cell that another component owns: bool [h, w]."""
    empty = owner < 0
    around = np.ones((3, 3), np.uint8)
    # OpenCV has no int64 filter; float64 holds every index exactly.
    highest = cv2.dilate(owner.astype(np.float64), around)
    lowest = cv2.erode(np.where(empty, np.inf, owner), around)
    return ~empty & (highest != lowest)


def _quota(
    component: NDArray[np.int64], cell: NDArray[np.int64], areas: NDArray[np.int64], share: NDArray[np.uint8], cell_pixels: float
) -> NDArray[np.int64]:
    """How many cells each component gets: int64 [K]."""
    full = np.bincount(component, weights=share.reshape(-1)[cell] >= _FULL, minlength=len(areas))
    filled = areas / cell_pixels
    line = (filled >= _LINE) & (full < 0.5 * filled)
    available = np.bincount(component, minlength=len(areas))

    def at(factor: float) -> NDArray[np.int64]:
        wished = np.round(filled * np.where(line, factor, min(1.0, factor))).astype(np.int64)
        return np.minimum(np.maximum(wished, 1), available)

    most = _ALLOWANCE * filled.sum()
    if at(_ALLOWANCE).sum() <= most:
        return at(_ALLOWANCE)
    low, high = 0.0, _ALLOWANCE
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle).sum() <= most else (low, middle)
    return at(low)
