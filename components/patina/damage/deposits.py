"""Damage that lies on or soaked into an object, and fogged light: Dust, Dirt, Staining, Lightleak.

Every drawing takes (rng, picture, mask, look, pixels) as those of `patina.damage.layers` do.
"""

import cv2
import numpy as np

from patina.core.taxonomy import IGNORE
from patina.damage.fields import Mask, Picture, blend, depth, highest, mark, noise, polygon, ramp, ring, softened
from patina.damage.look import Look


def dust(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Scattered specks of 1 to 4 px, denser in some places."""
    allowed = mask != IGNORE
    height, width = mask.shape
    coverage = np.zeros(mask.shape, np.uint8)
    density = noise(rng, (64, 64), 24, 2)
    drawn = 0.0
    while drawn < pixels:
        x, y = rng.uniform(0, 1, 2)
        if density[int(y * 63.9), int(x * 63.9)] < rng.normal(0, 0.7):
            continue
        radius = float(np.clip(rng.lognormal(0.45, 0.4), 0.9, 4.0)) * min(look.size, 1.6)
        outline = ring((x * width, y * height), (radius, radius * rng.uniform(0.6, 1.0)), rng.uniform(0, np.pi), rng.normal(0, 0.2, 9), 9)
        polygon(coverage, outline, rng.uniform(0.75, 1.0))
        drawn += np.pi * radius**2
    blend(picture, look.dust, coverage.astype(np.float32) / 255 * np.float32(0.92) * allowed)
    mark(mask, coverage >= 110, 3, allowed)


def dirt(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Clumpy, granular dark smudges that thin out to their edge."""
    allowed = mask != IGNORE
    shape = mask.shape
    scale = float(np.clip(np.sqrt(pixels) * 0.45, 22, 130))
    field = noise(rng, shape, (scale, scale * 1.6), 4) + 0.35 * noise(rng, shape, 9 * look.size, 2)
    field[~allowed] = -np.inf
    soiled = highest(field, pixels)
    soiled = cv2.medianBlur(soiled.view(np.uint8), 5).view(np.bool_)
    envelope = ramp(softened(soiled, 2.5 * look.size), 0.15, 0.9)
    clump = noise(rng, shape, 3.4 * look.size, 2)
    opacity = envelope * (0.4 + 0.55 * ramp(clump, -0.4, 1.0))
    specks = ramp(noise(rng, shape, 1.8 * look.size, 1), 0.9, 1.6) * envelope
    blend(picture, look.dirt, np.maximum(opacity, 0.95 * specks) * allowed)
    mark(mask, soiled, 6, allowed)


def staining(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Soft translucent patches that end in a darker tide line, sometimes with an older line inside."""
    allowed = mask != IGNORE
    height, width = mask.shape
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    count = int(rng.integers(1, 4))
    radius = np.float32(np.sqrt(pixels / (np.pi * count)))
    field = np.full(mask.shape, -np.inf, np.float32)
    for _ in range(count):
        center_x, center_y = rng.uniform(0, width), rng.uniform(0, height)
        if rng.random() < 0.6:
            center_x, center_y = ((0, center_y), (width, center_y), (center_x, 0), (center_x, height))[int(rng.integers(4))]
        away = np.sqrt((x - np.float32(center_x)) ** 2 + (y - np.float32(center_y)) ** 2) / (radius * np.float32(rng.uniform(0.7, 1.3)))
        np.maximum(field, -away, out=field)
    field += np.float32(0.17) * noise(rng, mask.shape, max(float(radius), 30.0), 3)
    field[~allowed] = -np.inf
    wet = highest(field, pixels)
    inside = depth(wet)
    tide, rim = 4.5 * look.size, 2.2 * look.size
    line = np.exp(-(((inside - rim) / (0.75 * rim)) ** 2)) * wet
    if rng.random() < 0.5:
        line += 0.5 * np.exp(-(((inside - 5 * tide) / rim) ** 2)) * wet
    body = ramp(inside, 0, tide) * (0.7 + 0.12 * noise(rng, mask.shape, 50 * look.size, 2))
    soaked = np.clip(body + 2.0 * line, 0, 2.0) * allowed
    picture *= 1 - soaked[..., None] * (1 - look.stain)
    np.clip(picture, 0, 1, out=picture)
    mark(mask, wet, 10, allowed)


def lightleak(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """A warm glow that runs in from an edge and burns out to white at its source."""
    allowed = mask != IGNORE
    height, width = mask.shape
    side = int(rng.integers(4))
    shape = (height, width) if side < 2 else (width, height)
    away, along = np.arange(shape[1], dtype=np.float32)[None], np.arange(shape[0], dtype=np.float32)[:, None]
    glow = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        center, spread = rng.uniform(0.1, 0.9) * shape[0], rng.uniform(0.06, 0.3) * shape[0]
        fall, slant = rng.uniform(0.2, 0.7) * shape[1], rng.normal(0, 0.3)
        core = np.exp(-(((along - center - slant * away) / (spread * (1 + 0.6 * away / shape[1]))) ** 2))
        glow = np.maximum(glow, (core * np.exp(-away / fall)).astype(np.float32))
    glow += np.float32(0.05) * np.exp(-away / np.float32(0.06 * shape[1]))
    glow = {0: glow, 1: glow[:, ::-1], 2: glow.T, 3: glow.T[::-1]}[side]
    field = np.where(allowed, glow * (1 + 0.05 * noise(rng, mask.shape, 120, 2)), -1).astype(np.float32)
    fogged = highest(field, pixels)
    threshold = float(field[fogged].min()) if fogged.any() else 1.0
    strength = np.clip(field / max(threshold, 1e-3), 0, None)
    # The edge of the mask is where a person sees the glow end: at about a third of full fog.
    alpha = (1 - np.exp(-0.62 * strength ** np.float32(3.0))) * allowed
    color = look.leak + ramp(alpha, 0.55, 1.0)[..., None] * (np.array((1.0, 0.97, 0.86), np.float32) - look.leak)
    picture[:] = 1 - (1 - picture) * (1 - alpha[..., None] * color)
    picture += (0.85 * alpha)[..., None] * (color - picture)
    mark(mask, fogged, 15, allowed)
