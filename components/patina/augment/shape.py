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

_QUARTER_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def orient(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, turns: int, mirror: bool) -> Tile:
    """`turns` quarter turns anticlockwise (0..3) after an optional left-right mirror; exact."""
    if mirror:
        image, mask = _bytes(cv2.flip(image, 1)), _bytes(cv2.flip(mask, 1))
    if turns:
        image, mask = _bytes(cv2.rotate(image, _QUARTER_TURNS[turns])), _bytes(cv2.rotate(mask, _QUARTER_TURNS[turns]))
    return image, mask


def turn(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, degrees: float, scale: float) -> Tile:
    """Rotation about the centre by `degrees` (anticlockwise), enlarged by `scale`."""
    height, width = mask.shape
    forward = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    moved = cv2.warpAffine(image, forward, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    labels = cv2.warpAffine(mask, forward, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(IGNORE,))
    return _bytes(moved), _bytes(labels)


def elastic(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, cells: int, strength: float) -> Tile:
    """A smooth random displacement, as of warped paper (Simard et al. 2003).

    Args:
        image: see the module.
        mask: see the module.
        seed: of the displacement.
        cells: bumps along a side.
        strength: standard deviation of the displacement, share of the side.
    """
    return sample(image, mask, *elastic_places(mask.shape, seed=seed, cells=cells, strength=strength))


def elastic_places(shape: tuple[int, int], *, seed: int, cells: int, strength: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the source `elastic` takes each pixel of a tile of `shape` from: (x, y), float32 [H, W] each, in pixels."""
    height, width = shape
    nodes = np.random.default_rng(seed).standard_normal((cells + 1, cells + 1, 2), dtype=np.float32)
    bend = cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(strength * max(height, width))
    down, across = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    return across + bend[..., 0], down + bend[..., 1]


def grid(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, columns: list[float], rows: list[float]) -> Tile:
    """Stretches and squeezes columns and rows of equal width.

    Args:
        image: see the module.
        mask: see the module.
        columns: positive relative extents in the source of each column of the result.
        rows: likewise, from the top.
    """
    return sample(image, mask, *grid_places(mask.shape, columns=columns, rows=rows))


def grid_places(shape: tuple[int, int], *, columns: list[float], rows: list[float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the source `grid` takes each pixel of a tile of `shape` from: (x, y), float32 [H, W] each, in pixels."""
    height, width = shape
    x, y = _stretched(width, columns), _stretched(height, rows)
    return np.tile(x, (height, 1)), np.repeat(y[:, None], width, axis=1)


def optical(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, bend: float) -> Tile:
    """A lens that bends straight lines: pincushion where `bend` is negative, barrel where it is positive.

    Radial distortion with k1 = k2 = `bend` (Brown 1966): a pixel at radius r from the centre, in tile sides, comes from
    r (1 + bend r² + bend r⁴).
    """
    return sample(image, mask, *optical_places(mask.shape, bend=bend))


def optical_places(shape: tuple[int, int], *, bend: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the source `optical` takes each pixel of a tile of `shape` from: (x, y), float32 [H, W] each, in pixels."""
    height, width = shape
    camera = np.array([(width, 0, (width - 1) / 2), (0, height, (height - 1) / 2), (0, 0, 1)], np.float32)
    lens = np.array((bend, bend, 0, 0, 0), np.float32)
    x, y = cv2.initUndistortRectifyMap(camera, lens, np.eye(3), camera, (width, height), cv2.CV_32FC1)
    return x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)


def sample(image: NDArray[np.uint8], mask: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]) -> Tile:
    """The tile whose pixels come from the places (`x`, `y`) of the source, float32 [S, S] each, in pixels."""
    moved = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    labels = cv2.remap(mask, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(IGNORE,))
    return _bytes(moved), _bytes(labels)


def _stretched(length: int, extents: list[float]) -> NDArray[np.float32]:
    ends = np.concatenate([[0.0], np.cumsum(extents)]) / np.sum(extents) * (length - 1)
    return np.interp(np.arange(length), np.linspace(0, length - 1, len(ends)), ends).astype(np.float32)


def _bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return values.astype(np.uint8, copy=False)
