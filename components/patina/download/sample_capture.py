"""How a picture of the sample was scanned or photographed: light, colour cast, sharpness, noise."""

import cv2
import numpy as np

from patina.damage.fields import Picture


def capture(rng: np.random.Generator, picture: Picture) -> Picture:
    """`picture` (float32 RGB [H, W, 3] in 0..1) as this picture's own camera saw it; the geometry stays."""
    height, width = picture.shape[:2]
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.16)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = 1 + np.float32(fall) * (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y)
    light -= np.float32(rng.uniform(0, 0.08)) * (x * x + y * y)
    cast = (rng.uniform(0.92, 1.03) * (1 + rng.normal(0, 0.03, 3))).astype(np.float32)
    blur = float(rng.choice((0.0, 0.4, 0.55, 0.75), p=(0.35, 0.3, 0.2, 0.15)))
    seen = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture.copy()
    seen *= light[..., None] * cast
    grain = np.float32(rng.uniform(0.003, 0.014))
    if rng.random() < 0.5:
        seen += (grain * rng.standard_normal((height, width), dtype=np.float32))[..., None]
    else:
        seen += grain * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(seen, 0, 1, out=seen)
