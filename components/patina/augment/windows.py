"""Which windows of a picture become tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.taxonomy import IGNORE, NUM_CLASSES

_ROWS = 256  # rows counted at a time: bincount needs 8 bytes per pixel
_DRAWS_PER_WINDOW = 8


@dataclass(frozen=True)
class Window:
    """A square of one tile, at (x, y) in the picture, which may be smaller than it.

    Attributes:
        x, y: left and top corner in pixels.
        counted_left, counted_top: columns and rows of the window that an earlier window holds already; their mask is 255
            here, so that no validation pixel counts twice.
    """

    x: int
    y: int
    counted_left: int = 0
    counted_top: int = 0


def training_windows(
    mask: NDArray[np.uint8],
    tile_size: int,
    *,
    budget: int,
    overlap: float,
    min_valid_share: float,
    damage_share: float,
    rarity: Sequence[int],
    rng: np.random.Generator,
) -> list[Window]:
    """Windows for training: first those centred on damage, rarest class first and in turn, then an even spread.

    Args:
        mask: uint8 [H, W], class ids and 255.
        tile_size: side of a window in pixels.
        budget: most windows. A picture whose overlapping grid has fewer gets only that many.
        overlap: least overlap of neighbouring windows of the grid, share of the tile.
        min_valid_share: least share of labelled pixels in a window, 0..1.
        damage_share: share of the windows that are centred on damage.
        rarity: damage classes, rarest first.
        rng: where windows on damage are drawn.

    Returns:
        Different windows; none where no pixel is labelled.
    """
    height, width = mask.shape
    step = max(1, int(tile_size * (1 - overlap)))
    grid = [Window(x, y) for y in _starts(height, tile_size, step) for x in _starts(width, tile_size, step)]
    grid = labelled_enough(grid, mask, tile_size, min_valid_share)
    count = min(budget, len(grid))
    chosen = _on_damage(mask, tile_size, round(count * damage_share), min_valid_share, rarity, rng)
    return chosen + spread([window for window in grid if window not in chosen], count - len(chosen), taken=chosen)


def validation_windows(mask: NDArray[np.uint8], tile_size: int, *, budget: int, min_valid_share: float) -> list[Window]:
    """Windows that cover the picture and count each pixel once; an even choice of them if they are more than `budget`.

    The last window of a row or column is moved back into the picture, so that it shows real surroundings instead of padding;
    what it shares with its neighbour is marked as counted.
    """
    height, width = mask.shape
    windows = [
        Window(max(0, min(x, width - tile_size)), max(0, min(y, height - tile_size)), *_counted(x, y, width, height, tile_size))
        for y in range(0, height, tile_size)
        for x in range(0, width, tile_size)
    ]
    return spread(labelled_enough(windows, mask, tile_size, min_valid_share), budget)


def labelled_enough(windows: list[Window], mask: NDArray[np.uint8], tile_size: int, min_valid_share: float) -> list[Window]:
    """Those of `windows` with at least `min_valid_share` labelled pixels, or else the one with most, if it has any.

    A sparsely labelled picture so still takes part: a data set of a few such pictures would have no validation otherwise.
    """
    shares = [valid_share(mask, window, tile_size) for window in windows]
    enough = [window for window, share in zip(windows, shares, strict=True) if share >= min_valid_share]
    best = int(np.argmax(shares))
    return enough or ([windows[best]] if shares[best] > 0 else [])


def valid_share(mask: NDArray[np.uint8], window: Window, tile_size: int) -> float:
    """Share of the tile's pixels that carry a label that counts, 0..1."""
    part = mask[window.y + window.counted_top : window.y + tile_size, window.x + window.counted_left : window.x + tile_size]
    return float(np.count_nonzero(part != IGNORE)) / tile_size**2


def spread(windows: list[Window], count: int, taken: Sequence[Window] = ()) -> list[Window]:
    """`count` of `windows` in their order, spread over the picture and away from those `taken`; all if they are fewer.

    Each next one is the farthest from all chosen so far (farthest-point sampling, Gonzalez 1985): every k-th of a grid
    would take a single column wherever k is the grid's width.
    """
    if count >= len(windows):
        return windows
    places = np.array([(window.x, window.y) for window in windows], np.float64)
    distance = np.full(len(windows), np.inf)
    for window in taken:
        distance = np.minimum(distance, np.square(places - (window.x, window.y)).sum(1))
    chosen: list[int] = []
    for _ in range(count):
        farthest = int(np.argmax(distance)) if np.isfinite(distance).all() else len(windows) // 2
        chosen.append(farthest)
        distance = np.minimum(distance, np.square(places - places[farthest]).sum(1))
    return [windows[i] for i in sorted(chosen)]


def cut(
    picture: NDArray[np.uint8], mask: NDArray[np.uint8], window: Window, tile_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[int, int]]:
    """The tile of `window`: image uint8 [T, T, 3], mask uint8 [T, T], and (width, height) of what lies inside the picture.

    Where the picture is smaller than the tile, it is reflected to the right and below; the mask there is 255.
    """
    image = picture[window.y : window.y + tile_size, window.x : window.x + tile_size]
    labels = mask[window.y : window.y + tile_size, window.x : window.x + tile_size]
    height, width = labels.shape
    if (height, width) != (tile_size, tile_size):
        below, right = tile_size - height, tile_size - width
        image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        labels = cv2.copyMakeBorder(labels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(IGNORE,))
    labels = np.array(labels, np.uint8)
    labels[: window.counted_top] = IGNORE
    labels[:, : window.counted_left] = IGNORE
    return np.array(image, np.uint8), labels, (width, height)


def _starts(length: int, tile_size: int, step: int) -> list[int]:
    """Evenly spread starts of windows that reach both ends of `length`, at most `step` apart."""
    room = max(0, length - tile_size)
    return np.linspace(0, room, -(-room // step) + 1).round().astype(int).tolist()


def _counted(x: int, y: int, width: int, height: int, tile_size: int) -> tuple[int, int]:
    return (
        x + tile_size - width if x and x + tile_size > width else 0,
        y + tile_size - height if y and y + tile_size > height else 0,
    )


def _on_damage(
    mask: NDArray[np.uint8], tile_size: int, count: int, min_valid_share: float, rarity: Sequence[int], rng: np.random.Generator
) -> list[Window]:
    """Up to `count` windows around random pixels of the classes present, one class after the other in the order of `rarity`."""
    height, width = mask.shape
    if count == 0 or (height <= tile_size and width <= tile_size):
        return []
    per_row = _class_rows(mask)
    present = [damage for damage in rarity if per_row[damage].any()]
    windows: dict[Window, None] = {}
    for draw in range(_DRAWS_PER_WINDOW * count if present else 0):
        if len(windows) == count:
            break
        damage = present[draw % len(present)]
        # A uniform pixel of the class: a row by its number of them, then one within the row.
        ends = np.cumsum(per_row[damage])
        y = int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))
        x = int(rng.choice(np.flatnonzero(mask[y] == damage)))
        # Off the centre by up to a quarter, or a model learns that damage sits in the middle.
        shift_x, shift_y = rng.integers(-(tile_size // 4), tile_size // 4 + 1, 2).tolist()
        window = Window(
            max(0, min(x - tile_size // 2 + shift_x, width - tile_size)), max(0, min(y - tile_size // 2 + shift_y, height - tile_size))
        )
        if valid_share(mask, window, tile_size) >= min_valid_share:
            windows[window] = None
    return list(windows)


def _class_rows(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each class in each row: int64 [16, H]."""
    blocks = []
    for start in range(0, len(mask), _ROWS):
        block = mask[start : start + _ROWS]
        codes = block.astype(np.intp) + 256 * np.arange(len(block))[:, None]
        blocks.append(np.bincount(codes.reshape(-1), minlength=256 * len(block)).reshape(len(block), 256)[:, :NUM_CLASSES])
    return np.concatenate(blocks).T
