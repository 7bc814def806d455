"""Transforms that move pixels: picture and mask alike.

Every function takes and returns (image uint8 RGB [S, S, 3], mask uint8 [S, S]). The mask is sampled by its nearest pixel, and
what comes from outside the tile is 255: no transform can invent a class. The image is reflected there.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.taxonomy import IGNORE

Tile: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(image uint8 RGB [S, S, 3], mask uint8 [S, S])."""


def orient(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, turns: int, mirror: bool) -> Tile:
    """`turns` quarter turns anticlockwise after an optional left-right mirror; exact."""
    if mirror:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, turns)), np.ascontiguousarray(np.rot90(mask, turns))


def turn(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, degrees: float, scale: float) -> Tile:
    """Rotation about the centre by `degrees` (anticlockwise), enlarged by `scale`."""
    height, width = mask.shape
    forward = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    backward = cv2.invertAffineTransform(forward).astype(np.float32)
    y, x = np.indices(mask.shape, dtype=np.float32)
    return _sample(
        image,
        mask,
        backward[0, 0] * x + backward[0, 1] * y + backward[0, 2],
        backward[1, 0] * x + backward[1, 1] * y + backward[1, 2],
    )


def elastic(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, cells: int, strength: float) -> Tile:
    """A smooth random displacement, as of warped paper (Simard et al. 2003).

    Args:
        image: see the module.
        mask: see the module.
        seed: of the displacement.
        cells: bumps along a side.
        strength: standard deviation of the displacement, share of the side.
    """
    height, width = mask.shape
    nodes = np.random.default_rng(seed).standard_normal((cells + 1, cells + 1, 2), dtype=np.float32)
    bend = cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(strength * max(height, width))
    y, x = np.indices(mask.shape, dtype=np.float32)
    return _sample(image, mask, x + bend[..., 0], y + bend[..., 1])


def grid(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, columns: list[float], rows: list[float]) -> Tile:
    """Stretches and squeezes columns and rows of equal width.

    Args:
        image: see the module.
        mask: see the module.
        columns: positive relative extents in the source of each column of the result.
        rows: likewise, from the top.
    """
    height, width = mask.shape
    x, y = _stretched(width, columns), _stretched(height, rows)
    return _sample(image, mask, np.tile(x, (height, 1)), np.repeat(y[:, None], width, axis=1))


def _stretched(length: int, extents: list[float]) -> NDArray[np.float32]:
    ends = np.concatenate([[0.0], np.cumsum(extents)]) / np.sum(extents) * (length - 1)
    return np.interp(np.arange(length), np.linspace(0, length - 1, len(ends)), ends).astype(np.float32)


def _sample(image: NDArray[np.uint8], mask: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]) -> Tile:
    moved = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    labels = cv2.remap(mask, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(IGNORE,))
    return moved.astype(np.uint8, copy=False), labels.astype(np.uint8, copy=False)
