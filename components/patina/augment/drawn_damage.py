"""Damage that is drawn on a tile, and into its mask: dust, hair, scratches, foxing.

Every function takes and returns (image uint8 RGB [S, S, 3], mask uint8 [S, S]) and draws about `share` of the tile's pixels.
Pixels of 255 keep image and mask. A drawn pixel is labelled only where a person would see it: where it differs from the
tile by `_VISIBLE` levels or more. Dust, hair and scratches lie on top of what is there already.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.augment.shape import Tile
from patina.core.taxonomy import IGNORE
from patina.damage import kinds
from patina.damage.fields import polygon, ring
from patina.damage.look import Look, draw_look

DUST, SCRATCH, HAIR, STAINING = 3, 4, 5, 10
_VISIBLE = 16
_LEAST_CONTRAST = 0.3
"""Of the lightness range, between a hair, scratch or speck and the tile's middle tone."""
_RUST = np.array([0.72, 0.46, 0.24], np.float32)  # factor on a sheet's colours in the middle of a spot


def dust(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, share: float) -> Tile:
    """Scattered specks, labelled Dust."""
    return _drawn(DUST, image, mask, seed, share)


def hair(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, share: float) -> Tile:
    """Curled thin fibres, labelled Hair."""
    return _drawn(HAIR, image, mask, seed, share)


def scratch(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, share: float) -> Tile:
    """Long thin lines, labelled Scratch."""
    return _drawn(SCRATCH, image, mask, seed, share)


def foxing(image: NDArray[np.uint8], mask: NDArray[np.uint8], *, seed: int, share: float) -> Tile:
    """Small rust-brown spots in clusters, as mould and iron leave them in paper.

    They are labelled Staining: an annotator who sees brown spots gives them that class, and a brown spot called Clean would
    teach the opposite. They soak Clean pixels only, so that damage on top of the sheet keeps its look.
    """
    rng = np.random.default_rng(seed)
    height, width = mask.shape
    unit = max(height, width) / 384
    goal, drawn = share * mask.size, 0.0
    clusters = rng.uniform(0, 1, (int(rng.integers(2, 6)), 2)) * (width, height)
    coverage = np.zeros(mask.shape, np.uint8)
    while drawn < goal:
        center = clusters[rng.integers(len(clusters))] + rng.normal(0, 0.16, 2) * (width, height)
        radius = float(np.clip(rng.lognormal(1.0, 0.5), 1.5, 9.0)) * unit
        outline = ring(center, (radius, radius * rng.uniform(0.7, 1.0)), rng.uniform(0, np.pi), rng.normal(0, 0.12, 16), 16)
        polygon(coverage, outline, rng.uniform(0.5, 1.0))
        drawn += np.pi * radius**2
    depth = cv2.GaussianBlur(coverage, (0, 0), 1.1 * unit).astype(np.float32) / 255
    soaked = (depth > 0.004) & (mask == 0)
    painted = image.copy()
    painted[soaked] = np.rint(image[soaked] * (1 - depth[soaked, None] * (1 - _RUST))).astype(np.uint8)
    return painted, _labelled(image, mask, painted, soaked & (depth >= 0.25), STAINING)


def _drawn(kind: int, image: NDArray[np.uint8], mask: NDArray[np.uint8], seed: int, share: float) -> Tile:
    rng = np.random.default_rng(seed)
    picture = np.divide(image, 255, dtype=np.float32)
    look = _contrasting(draw_look(rng, picture), float(np.median(picture[::8, ::8])))
    ignored = mask == IGNORE
    drawn = np.where(ignored, np.uint8(IGNORE), np.uint8(0))
    kinds.draw(kind, rng, picture, drawn, look, max(1, round(share * mask.size)))
    painted = cv2.convertScaleAbs(picture, alpha=255).astype(np.uint8, copy=False)
    painted[ignored] = image[ignored]  # a hair's shadow falls there too
    return painted, _labelled(image, mask, painted, drawn == kind, kind)


def _labelled(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], painted: NDArray[np.uint8], covered: NDArray[np.bool_], kind: int
) -> NDArray[np.uint8]:
    """`mask` with `kind` where it is `covered` and `painted` visibly differs from `image`."""
    labels, where = mask.copy(), np.nonzero(covered)
    visible = np.abs(painted[where].astype(np.int16) - image[where]).max(axis=1) >= _VISIBLE
    labels[where] = np.where(visible, np.uint8(kind), labels[where])
    return labels


def _contrasting(look: Look, middle: float) -> Look:
    """`look` with those colours inverted that would vanish on a tile of lightness `middle` (0..1)."""
    colours = {name: getattr(look, name) for name in ("dust", "hair", "scratch")}
    return replace(look, **{name: 1 - colour for name, colour in colours.items() if abs(float(colour.mean()) - middle) < _LEAST_CONTRAST})
