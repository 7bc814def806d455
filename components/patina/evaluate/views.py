"""Small views of a picture, its truth, a prediction and its errors, for people to look at; never for scores."""

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.taxonomy import IGNORE

RIGHT, WRONG_KIND, MISSED, FALSE_ALARM = (0, 158, 115), (86, 180, 233), (230, 159, 0), (204, 121, 167)
"""Colours of the error view, distinguishable with any colour vision (Okabe and Ito 2008)."""

_CLEAN_WEIGHT = 0.2  # a hair covers a few per cent of a view's pixel: without this every thin damage would vanish


def view_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """(height, width) of a view whose longer side has at most `longest` pixels."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink_picture(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] -> uint8 [h, w, 3], averaged."""
    height, width = view_size(picture.shape[0], picture.shape[1], longest)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def shrink_labels(labels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Class ids uint8 [H, W] -> uint8 [h, w]: each pixel shows the class that covers most of it, Clean counting a fifth.

    Nearest-neighbour sampling would drop scratches and hairs; here thin damage comes out wider than it is.
    """
    height, width = view_size(labels.shape[0], labels.shape[1], longest)
    best = np.full((height, width), -1.0, np.float32)
    result = np.zeros((height, width), np.uint8)
    for value in np.flatnonzero(cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()).tolist():
        cover = cv2.resize((labels == value).astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        cover *= _CLEAN_WEIGHT if value in (0, IGNORE) else 1.0
        result[cover > best] = value
        np.maximum(best, cover, out=best)
    return result


def overlay(picture: NDArray[np.uint8], labels: NDArray[np.uint8], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Damage in its class colours over a pale grey picture; unlabelled areas are hatched.

    Args:
        picture: uint8 [h, w, 3].
        labels: uint8 [h, w], 0 = Clean, 255 = unlabelled.
        colors: uint8 [256, 3], colour of each id.
    """
    damage = (labels != 0) & (labels != IGNORE)
    return _hatch(_paint(_pale(picture), damage, colors[labels]), labels == IGNORE)


def error_view(picture: NDArray[np.uint8], truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where the damage was found, missed, invented or given the wrong kind, uint8 [h, w, 3]; inputs as for `overlay`."""
    damaged, drawn = truth != 0, prediction != 0
    canvas = _pale(picture)
    for mask, color in (
        (damaged & (truth == prediction), RIGHT),
        (damaged & drawn & (truth != prediction), WRONG_KIND),
        (damaged & ~drawn, MISSED),
        (~damaged & drawn, FALSE_ALARM),
    ):
        canvas = _paint(canvas, mask & (truth != IGNORE), np.asarray(color, np.uint8))
    return _hatch(canvas, truth == IGNORE)


def _pale(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.repeat((140 + grey * 0.42).astype(np.uint8)[..., None], 3, axis=2)


def _paint(canvas: NDArray[np.uint8], mask: NDArray[np.bool_], color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mixed = (0.15 * canvas + 0.85 * color).astype(np.uint8)
    return np.where(mask[..., None], mixed, canvas)


def _hatch(canvas: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rows, columns = np.indices(mask.shape)
    stripes = np.where((rows + columns) % 8 < 2, np.uint8(120), np.uint8(235))
    return np.where(mask[..., None], stripes[..., None], canvas)
