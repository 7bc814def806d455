"""What of each picture is compared: all of it, and windows of it where the other set holds much smaller pictures."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from patina.likeness.features import Features, describe
from patina.likeness.matching import workers
from patina.likeness.sets import PictureSet, Shown

PART: Final = 4
"""A picture that spans less than 1 / `PART` of another one's area may be a part of it that the whole does not show well enough."""
_LARGEST_GRID: Final = 4
"""Windows along each side of a picture at most."""
_OVERLAP: Final = 1.5
"""Side of a window in steps of the grid."""


@dataclass(frozen=True, eq=False)
class View:
    """Features of a picture or of a part of it.

    Attributes:
        name: of the picture.
        features: of what is seen.
        area: pixels of the original picture that it spans.
        of: what it is, in words.
    """

    name: str
    features: Features
    area: float
    of: str


def whole_views(pictures: PictureSet) -> list[View]:
    """One view of each picture of the set, more of one whose tiles leave most of it open."""

    def look(picture: Shown) -> list[View]:
        return [View(picture.name, describe(picture.pixels, picture.shown), picture.area, picture.of)]

    return _looked(pictures, None, look)


def window_views(pictures: PictureSet, names: Collection[str], smallest: float) -> list[View]:
    """Views of overlapping windows of the pictures `names`.

    Args:
        pictures: the set.
        names: the pictures to look into.
        smallest: area in pixels that a window should span; a grid has at most 4 x 4 windows, so that those of very large pictures
            span more.
    """

    def look(picture: Shown) -> list[View]:
        if picture.of == "single tile":
            return []
        height, width = picture.pixels.shape[:2]
        grid = int(np.clip(np.ceil((picture.area / smallest) ** 0.5), 2, _LARGEST_GRID))
        views: list[View] = []
        for row in range(grid):
            for column in range(grid):
                rows, columns = _span(row, grid, height), _span(column, grid, width)
                shown = None if picture.shown is None else picture.shown[rows, columns]
                if shown is None or shown.any():
                    part = picture.pixels[rows, columns]
                    share = part.shape[0] * part.shape[1] / (height * width)
                    views.append(View(picture.name, describe(part, shown), picture.area * share, "window"))
        return views

    return _looked(pictures, names, look)


def _span(index: int, grid: int, length: int) -> slice:
    side = min(1.0, _OVERLAP / grid)
    start = (1 - side) * index / (grid - 1)
    return slice(int(start * length), max(int(start * length) + 1, round((start + side) * length)))


def _looked(pictures: PictureSet, names: Collection[str] | None, look: Callable[[Shown], list[View]]) -> list[View]:
    """`look` at each picture, in their order; one picture for each worker, and one more, is held at a time."""

    def results(pool: ThreadPoolExecutor) -> Iterator[View]:
        source = pictures.read(names)
        waiting: deque[Future[list[View]]] = deque(pool.submit(look, picture) for picture in islice(source, workers()))
        while waiting:
            views = waiting.popleft().result()
            waiting.extend(pool.submit(look, picture) for picture in islice(source, 1))
            yield from views

    with ThreadPoolExecutor(workers(), thread_name_prefix="likeness") as pool:
        return list(results(pool))
