"""Random fields, shapes and blending that the drawings of damage share.

Pictures are float32 RGB [H, W, 3] in 0..1 and are changed in place. Points are (x, y) in pixels, angles in radians.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.float32]
"""float32 [H, W]."""
Picture = NDArray[np.float32]
"""float32 RGB [H, W, 3] in 0..1."""
Mask = NDArray[np.uint8]
"""uint8 [H, W] of class ids, 255 = ignore."""
Covered = NDArray[np.bool_]
"""bool [H, W]: where a damage lies."""
Points = NDArray[np.float32]
"""float32 [N, 2] of (x, y)."""

_SUBPIXEL_BITS = 4


def noise(rng: np.random.Generator, shape: tuple[int, int], scale: float | tuple[float, float], octaves: int = 3) -> Field:
    """Smooth noise [H, W] of about zero mean and unit deviation.

    `scale` is the size of its largest features in pixels, one number or (across y, across x); every further octave has half
    the size and 0.55 of the strength.
    """
    height, width = shape
    scale_y, scale_x = (scale, scale) if isinstance(scale, (int, float)) else scale
    coarse = int(min(scale_y, scale_x) / 2 ** (octaves - 1) / 4)
    if coarse >= 2:
        # Noise whose finest features span 4 x `coarse` pixels loses nothing when it is drawn smaller.
        small = noise(rng, (height // coarse + 1, width // coarse + 1), (scale_y / coarse, scale_x / coarse), octaves)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        step_y, step_x = max(scale_y / 2**octave, 1.0), max(scale_x / 2**octave, 1.0)
        grid = rng.standard_normal((int(height / step_y) + 4, int(width / step_x) + 4), dtype=np.float32)
        gain = 0.55**octave
        # 0.65 is about the deviation that cubic resampling leaves of white noise.
        full = cv2.resize(grid, (int(grid.shape[1] * step_x), int(grid.shape[0] * step_y)), interpolation=cv2.INTER_CUBIC)
        top, left = int(step_y * rng.uniform(0.5, 1.5)), int(step_x * rng.uniform(0.5, 1.5))
        total += np.float32(gain / 0.65) * full[top : top + height, left : left + width]
        power += gain**2
    total *= np.float32(1 / np.sqrt(power))
    return total


def highest(field: Field, pixels: int) -> Covered:
    """Where `field` has its `pixels` highest finite values (within 1 %: the threshold is read from a subsample)."""
    step = max(1, int(np.sqrt(field.size / 60_000)))
    sample = field[::step, ::step].ravel()
    rank = min(int(pixels / step**2), sample.size - 1)
    threshold = np.partition(sample, sample.size - 1 - rank)[sample.size - 1 - rank]
    return (field > threshold) & np.isfinite(field)


def ramp(values: Field, low: float, high: float) -> Field:
    """`values` mapped to 0..1 by a smooth step from `low` to `high`."""
    t = np.clip((values - low) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def softened(covered: Covered, sigma: float) -> Field:
    """Coverage 0..1 of a region whose edge is blurred by `sigma` pixels."""
    return cv2.GaussianBlur(covered.astype(np.float32), (0, 0), sigma)


def depth(covered: Covered) -> Field:
    """Distance of every covered pixel from the region's edge, in pixels; 0 outside."""
    return cv2.distanceTransform(covered.view(np.uint8), cv2.DIST_L2, 3).astype(np.float32)


def slope(surface: Field, light: float) -> Field:
    """How steeply `surface` falls towards the light at angle `light`: positive on the faces that look at it."""
    along_x = cv2.Sobel(surface, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    along_y = cv2.Sobel(surface, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return (-np.cos(light) * along_x - np.sin(light) * along_y).astype(np.float32)


def cells(rng: np.random.Generator, shape: tuple[int, int], size: float, warp: float = 0.25) -> NDArray[np.int32]:
    """Labels int32 [H, W] of jagged cells about `size` pixels wide (a Voronoi diagram, its borders bent by `warp` x size)."""
    height, width = shape
    pad = int(size)
    ys, xs = np.mgrid[0 : height + 2 * pad : size, 0 : width + 2 * pad : size]
    ys = np.clip(ys + rng.uniform(-0.5, 0.5, ys.shape) * size, 0, height + 2 * pad - 1).astype(int)
    xs = np.clip(xs + rng.uniform(-0.5, 0.5, xs.shape) * size, 0, width + 2 * pad - 1).astype(int)
    seeds = np.ones((height + 2 * pad, width + 2 * pad), np.uint8)
    seeds[ys, xs] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    reach = warp * size
    map_x = np.arange(width, dtype=np.float32)[None] + pad + reach * noise(rng, shape, size * 0.7, 2)
    map_y = np.arange(height, dtype=np.float32)[:, None] + pad + reach * noise(rng, shape, size * 0.7, 2)
    bent = cv2.remap(labels.astype(np.float32), map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return bent.astype(np.int32)


def lit(picture: Picture, light: Field, strength: float = 1.0) -> None:
    """Adds `strength` x `light` [H, W] to all three channels, in place."""
    picture += (np.float32(strength) * light)[..., None]
    np.clip(picture, 0, 1, out=picture)


def blend(picture: Picture, color: ArrayLike, alpha: Field) -> None:
    """Lays `color` ([3] or [H, W, 3]) over `picture` with the opacity `alpha` [H, W], in place."""
    left, top, width, height = cv2.boundingRect((alpha > 0.004).view(np.uint8))
    if width == 0:
        return
    window = np.s_[top : top + height, left : left + width]
    paint = np.asarray(color, np.float32)
    part = picture[window]
    part += alpha[window][..., None] * ((paint[window] if paint.ndim == 3 else paint) - part)
    np.clip(part, 0, 1, out=part)


def stroke(coverage: Mask, points: ArrayLike, width: float, strength: float = 1.0) -> None:
    """Draws an anti-aliased line through `points` (x, y) into a uint8 coverage [H, W]; widths under 1 px are drawn fainter."""
    fixed = np.round(np.asarray(points, np.float64) * 2**_SUBPIXEL_BITS).astype(np.int32)
    level = int(255 * strength * min(1.0, 0.55 + 0.45 * width))
    cv2.polylines(coverage, [fixed.reshape(-1, 1, 2)], False, level, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)


def polygon(coverage: Mask, points: ArrayLike, strength: float = 1.0) -> None:
    """Fills an anti-aliased polygon of `points` (x, y) into a uint8 coverage [H, W]."""
    fixed = np.round(np.asarray(points, np.float64) * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(coverage, [fixed.reshape(-1, 1, 2)], int(255 * strength), cv2.LINE_AA, _SUBPIXEL_BITS)


def ring(center: ArrayLike, radii: tuple[float, float], angle: float = 0.0, wobble: ArrayLike = 0.0, count: int = 40) -> Points:
    """Closed outline [count, 2] of an ellipse; `wobble` (a number or [count]) is the relative change of its radius."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    grow = 1 + np.broadcast_to(np.asarray(wobble, np.float64), t.shape)
    x, y = radii[0] * np.cos(t) * grow, radii[1] * np.sin(t) * grow
    turned = np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=1)
    return (turned + np.asarray(center)).astype(np.float32)


def rectangle(center: ArrayLike, size: tuple[float, float], angle: float = 0.0) -> Points:
    """Corners [4, 2] of a turned rectangle of `size` (width, height)."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.asarray(size) / 2
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return (corners @ turn + np.asarray(center)).astype(np.float32)


def mark(mask: Mask, covered: Covered, kind: int, allowed: Covered) -> None:
    """Writes the class id `kind` where a damage covers an allowed pixel, in place."""
    mask[covered & allowed] = kind
