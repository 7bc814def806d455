"""Transforms that change how a tile looks and leave its mask alone: light, colour, ageing, capture.

Every function takes and returns an image, uint8 RGB [S, S, 3].
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""uint8 RGB [S, S, 3]."""
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_PAPER_YELLOW = np.array([0.98, 0.88, 0.62])  # what a white sheet becomes when its lignin has oxidised


def tone(image: Image, *, gain: float, offset: float, gamma: float = 1.0) -> Image:
    """Contrast about mid-grey by `gain`, brightness by `offset` (of 255), then gamma."""
    levels = np.clip((np.arange(256) - 127.5) * gain + 127.5 + offset, 0, 255) / 255
    return _as_bytes(cv2.LUT(image, np.round(levels**gamma * 255).astype(np.uint8)))


def colour(image: Image, *, hue: float, saturation: float, warmth: float) -> Image:
    """Turns hues by `hue` degrees about the grey axis, multiplies saturation, and shifts red against blue by `warmth`."""
    angle = np.deg2rad(hue)
    axis = np.full(3, 1 / np.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    saturate = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    return _mixed(image, np.diag([1 + warmth, 1.0, 1 - warmth]) @ saturate @ rotation)


def blur(image: Image, *, sigma: float) -> Image:
    """A Gaussian of `sigma` pixels."""
    return _as_bytes(cv2.GaussianBlur(image, (0, 0), sigma))


def noise(image: Image, *, seed: int, sigma: float, grain: float) -> Image:
    """Gaussian noise of deviation `sigma` (of 255), the same in all channels; its size is `grain` pixels."""
    height, width = image.shape[:2]
    shape = max(2, round(height / grain)), max(2, round(width / grain))
    field = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(sigma)
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return _clipped(image + field[..., None])


def yellowing(image: Image, *, strength: float) -> Image:
    """Multiplies by the colour of aged paper or varnish, from nothing (0) to fully (1)."""
    return _mixed(image, np.diag(1 - strength * (1 - _PAPER_YELLOW)))


def fading(image: Image, *, strength: float, level: float) -> Image:
    """Draws all colours towards a grey of `level` (of 255) and their own lightness: 0 is unchanged, 1 flat."""
    matrix = (1 - strength) * ((1 - strength / 2) * np.eye(3) + strength / 2 * np.tile(_LUMA, (3, 1)))
    return _mixed(image, matrix, strength * level)


def vignette(image: Image, *, strength: float, x: float, y: float) -> Image:
    """Darkens with the square of the distance from (x, y), shares of the side; by `strength` (0..1) half a diagonal away."""
    down, across = _places(image)
    distance = ((across - x) ** 2 + (down - y) ** 2) / 0.5
    return _clipped(image * np.maximum(1 - strength * distance, 0)[..., None])


def uneven_light(image: Image, *, strength: float, degrees: float) -> Image:
    """Light from one side: brightness rises along `degrees` by up to ±`strength` at the borders."""
    down, across = _places(image)
    angle = np.deg2rad(degrees)
    slope = (across - 0.5) * np.cos(angle) + (down - 0.5) * np.sin(angle)
    return _clipped(image * (1 + 2 * strength * slope).astype(np.float32)[..., None])


def low_resolution(image: Image, *, factor: float) -> Image:
    """Reduces by `factor` and enlarges again, as a poor scan."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA)
    return _as_bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(image: Image, *, quality: int) -> Image:
    """Through a JPEG file of `quality` 1..100: blocks and ringing."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.array(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()


def _mixed(image: Image, matrix: NDArray[np.float64], offset: float = 0.0) -> Image:
    """Every colour multiplied by `matrix` [3, 3], `offset` added."""
    return _as_bytes(cv2.transform(image, np.column_stack([matrix, np.full(3, offset)])))


def _places(image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(y [S, 1], x [1, S]) as shares 0..1 of the side."""
    height, width = image.shape[:2]
    return np.linspace(0, 1, height, dtype=np.float32)[:, None], np.linspace(0, 1, width, dtype=np.float32)[None]


def _clipped(values: NDArray[np.generic]) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _as_bytes(values: NDArray[np.generic]) -> Image:
    return values.astype(np.uint8, copy=False)
