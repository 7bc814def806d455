"""Transforms that change how a tile looks and leave its mask alone: light, colour, ageing, capture.

Every function takes and returns an image, uint8 RGB [S, S, 3].
"""

import math
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
    """A Gaussian of `sigma` pixels, cut off at 3.5 of them."""
    kernel = cv2.getGaussianKernel(2 * int(3.5 * sigma) + 1, sigma)
    return _as_bytes(cv2.sepFilter2D(image, -1, kernel, kernel))


def noise(image: Image, *, seed: int, sigma: float, grain: float) -> Image:
    """Gaussian noise of deviation `sigma` (of 255), the same in all channels; its size is `grain` pixels."""
    return _as_bytes(cv2.add(image, cv2.merge([noise_field(_size(image), seed=seed, sigma=sigma, grain=grain)] * 3), dtype=cv2.CV_8U))


def noise_field(shape: tuple[int, int], *, seed: int, sigma: float, grain: float) -> NDArray[np.float32]:
    """What `noise` adds to an image of `shape` (H, W): float32 [H, W], of 255."""
    height, width = shape
    coarse = max(2, round(height / grain)), max(2, round(width / grain))
    field = np.random.default_rng(seed).standard_normal(coarse, dtype=np.float32) * np.float32(sigma)
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def yellowing(image: Image, *, strength: float) -> Image:
    """Multiplies by the colour of aged paper or varnish, from nothing (0) to fully (1)."""
    return _mixed(image, np.diag(1 - strength * (1 - _PAPER_YELLOW)))


def fading(image: Image, *, strength: float, level: float) -> Image:
    """Draws all colours towards a grey of `level` (of 255) and their own lightness: 0 is unchanged, 1 flat."""
    matrix = (1 - strength) * ((1 - strength / 2) * np.eye(3) + strength / 2 * np.tile(_LUMA, (3, 1)))
    return _mixed(image, matrix, strength * level)


def vignette(image: Image, *, strength: float, x: float, y: float) -> Image:
    """Darkens with the square of the distance from (x, y), shares of the side; by `strength` (0..1) at the farthest corner."""
    down, across = _places(image)
    steepness = strength / (max(x, 1 - x) ** 2 + max(y, 1 - y) ** 2)
    return _lit(image, 1 - steepness * np.square(down - y), -steepness * np.square(across - x))


def uneven_light(image: Image, *, strength: float, degrees: float) -> Image:
    """Light from one side: brightness rises along `degrees` by up to ±`strength` at the borders."""
    down, across = _places(image)
    angle = math.radians(degrees)
    return _lit(image, 1 + 2 * strength * math.sin(angle) * (down - 0.5), 2 * strength * math.cos(angle) * (across - 0.5))


def scanner_bands(image: Image, *, seed: int, upright: bool, period: float, strength: float) -> Image:
    """Lines of uneven brightness across the scan: a cosine of `period` pixels and faint streaks of single lines.

    Args:
        image: see the module.
        seed: of the phase and the streaks.
        upright: whether the lines run down the tile instead of across it.
        period: pixels from one band to the next.
        strength: deviation of the bands' brightness, share; single lines have a third of it, each channel its own.
    """
    rng = np.random.default_rng(seed)
    height, width = _size(image)
    length = width if upright else height
    wave = math.sqrt(2) * np.cos(2 * np.pi * (np.arange(length) / period + rng.random()))
    profile = (1 + strength * (wave[:, None] + rng.standard_normal((length, 3)) / 3)).astype(np.float32)
    gain = cv2.repeat(profile[None], height, 1) if upright else cv2.repeat(profile[:, None], 1, width)
    return _as_bytes(cv2.multiply(image, gain, dtype=cv2.CV_8U))


def low_resolution(image: Image, *, factor: float) -> Image:
    """Reduces by `factor` and enlarges again, as a poor scan."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA)
    return _as_bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(image: Image, *, quality: int) -> Image:
    """Through a JPEG file of `quality` 1..100: blocks and ringing."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _mixed(image: Image, matrix: NDArray[np.float64], offset: float = 0.0) -> Image:
    """Every colour multiplied by `matrix` [3, 3], `offset` added."""
    return _as_bytes(cv2.transform(image, np.column_stack([matrix, np.full(3, offset)])))


def _places(image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(y [S], x [S]) as shares 0..1 of the side."""
    height, width = image.shape[:2]
    return np.linspace(0, 1, height), np.linspace(0, 1, width)


def _lit(image: Image, down: NDArray[np.floating], across: NDArray[np.floating]) -> Image:
    """Every pixel multiplied by the gain `down` [S] of its row plus `across` [S] of its column, rounded."""
    gain = np.add.outer(down.astype(np.float32), across.astype(np.float32))
    return _as_bytes(cv2.multiply(image, cv2.merge([gain] * 3), dtype=cv2.CV_8U))


def _size(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return height, width


def _as_bytes(values: NDArray[np.generic]) -> Image:
    return values.astype(np.uint8, copy=False)
