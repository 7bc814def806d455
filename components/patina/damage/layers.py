"""Damage that opens or eats the layers of an object: Material loss, Peel, Puncture, Burn marks.

Every drawing takes (rng, picture, mask, look, pixels): it changes `picture` (float32 RGB [H, W, 3] in 0..1) and writes its
class id into `mask` (uint8 [H, W]) for about `pixels` pixels, both in place; pixels marked 255 stay as they are.
"""

import cv2
import numpy as np

from patina.core.taxonomy import IGNORE
from patina.damage.fields import (
    Covered,
    Field,
    Mask,
    Picture,
    blend,
    cells,
    depth,
    highest,
    lit,
    mark,
    noise,
    polygon,
    ramp,
    ring,
    slope,
    softened,
)
from patina.damage.look import Look


def _places(rng: np.random.Generator, allowed: Covered, count: int, edge: float = 0.0) -> list[tuple[float, float]]:
    """`count` random allowed points (x, y), a share `edge` of them close to the picture's border."""
    height, width = allowed.shape
    places: list[tuple[float, float]] = []
    for _ in range(200):
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        if rng.random() < edge:
            side, reach = int(rng.integers(4)), float(rng.uniform(0, 0.12))
            x = (reach * width, (1 - reach) * width, x, x)[side]
            y = (y, y, reach * height, (1 - reach) * height)[side]
        if allowed[min(int(y), height - 1), min(int(x), width - 1)]:
            places.append((x, y))
        if len(places) == count:
            break
    return places


def _islands(rng: np.random.Generator, allowed: Covered, pixels: int, count: int, tear: float, edge: float) -> Covered:
    """A few torn patches of about `pixels` pixels together."""
    height, width = allowed.shape
    radius = np.sqrt(pixels / (np.pi * count))
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    field = np.full((height, width), -np.inf, np.float32)
    for center_x, center_y in _places(rng, allowed, count, edge):
        angle, stretch, grow = rng.uniform(0, np.pi), rng.uniform(1.0, 1.9), rng.uniform(0.6, 1.3)
        along = (x - center_x) * np.float32(np.cos(angle)) + (y - center_y) * np.float32(np.sin(angle))
        across = (y - center_y) * np.float32(np.cos(angle)) - (x - center_x) * np.float32(np.sin(angle))
        np.maximum(field, -np.sqrt((along / stretch) ** 2 + (across * stretch) ** 2) / np.float32(radius * grow), out=field)
    field += np.float32(tear) * noise(rng, (height, width), max(radius * 0.9, 6.0), 5)
    field[~allowed] = -np.inf
    return highest(field, pixels)


def material_loss(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Torn lacunae that show the coarse, fibrous layer below, with a shadow inside the upper edge."""
    allowed = mask != IGNORE
    hole = _islands(rng, allowed, pixels, int(rng.integers(1, 5)), 0.36, 0.35)
    shape = mask.shape
    fibre = (7.0 * look.size, 1.6) if abs(np.sin(look.direction)) > 0.7 else (1.6, 7.0 * look.size)
    texture = 0.05 * noise(rng, shape, 5.0 * look.size, 2) + 0.06 * noise(rng, shape, fibre, 1)
    specks = noise(rng, shape, 4.2 * look.size, 1)
    texture += np.float32(0.26) * (ramp(specks, 0.9, 1.5) - ramp(-specks, 0.9, 1.5))
    texture += np.float32(0.05) * noise(rng, shape, 60 * look.size, 2)
    blend(picture, np.clip(look.underlayer + texture[..., None], 0, 1), softened(hole, 0.6))
    step = slope(softened(hole, 1.8 * look.size), look.light)
    lit(picture, np.where(hole, np.minimum(-step, 0) * 2.4 + np.maximum(-step, 0) * 0.9, np.maximum(step, 0) * 0.8), 0.9)
    mark(mask, hole, 1, allowed)


def peel(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Clusters of angular lost flakes: fine bare ground, a bright lifted rim and a cast shadow."""
    allowed = mask != IGNORE
    shape = mask.shape
    labels = cells(rng, shape, look.flake)
    region = noise(rng, shape, max(np.sqrt(pixels) * 0.9, 60.0), 3)
    region[~allowed] = -3.0
    count = int(labels.max()) + 1
    areas = np.bincount(labels.ravel(), minlength=count)
    level = np.bincount(labels.ravel(), region.ravel(), minlength=count) / np.maximum(areas, 1)
    level[areas == 0] = -9
    order = np.argsort(-(level + rng.normal(0, 0.22, count)))
    lost = np.zeros(count, bool)
    lost[order[np.cumsum(areas[order]) <= pixels]] = True
    bare = (lost[labels] & allowed).astype(np.uint8)
    bare = cv2.medianBlur(bare, 3).view(np.bool_)
    texture = np.float32(0.085) * noise(rng, shape, 1.5, 1) + 0.03 * noise(rng, shape, 40 * look.size, 2)
    ground = np.clip(look.ground + texture[..., None], 0, 1)
    blend(picture, ground, 0.93 * softened(bare, 0.5))
    rim = softened(bare, 1.1 * look.size)
    step = slope(rim, look.light)
    edge = np.exp(-(((rim - 0.45) / 0.2) ** 2)).astype(np.float32)
    lit(picture, edge * (0.2 + 1.3 * np.maximum(step, 0)))
    lit(picture, -np.maximum(-step, 0) * 1.9)
    mark(mask, bare, 2, allowed)


def puncture(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Small dark holes with a pressed, bright rim and short tears."""
    allowed = mask != IGNORE
    coverage = np.zeros(mask.shape, np.uint8)
    radius = float(np.clip(np.sqrt(pixels / (np.pi * rng.integers(3, 9))), 2.5, 9.0 * look.size))
    places = _places(rng, allowed, max(1, round(pixels / (np.pi * radius**2))), 0.3)
    for place in places:
        grow, jag = rng.uniform(0.7, 1.2), rng.normal(0, 0.1, 14)
        if rng.random() < 0.4:
            jag[rng.integers(14)] += rng.uniform(0.3, 0.9)
        polygon(coverage, ring(place, (radius * grow, radius * grow * rng.uniform(0.7, 1.0)), rng.uniform(0, np.pi), jag, 14))
    covered = coverage >= 120
    halo = cv2.GaussianBlur(coverage, (0, 0), 1.6 * look.size).astype(np.float32) / 255
    lit(picture, np.where(allowed, 0.35 * np.exp(-(((halo - 0.3) / 0.18) ** 2)) * (0.6 + 3.0 * slope(halo, look.light)), 0))
    core = (look.crack * np.float32(0.5))[None, None] + 0.03 * noise(rng, mask.shape, 4, 1)[..., None]
    blend(picture, np.clip(core, 0, 1), coverage.astype(np.float32) / 255 * allowed)
    mark(mask, covered, 13, allowed)


def burn_marks(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Scorched spots: charred and cracked in the middle, brown to the rim, a yellowed halo outside."""
    allowed = mask != IGNORE
    burnt = _islands(rng, allowed, pixels, int(rng.integers(1, 3)), 0.16, 0.4)
    inside = depth(burnt)
    reach = max(float(inside.max()), 1.0)
    crust = noise(rng, mask.shape, 6 * look.size, 3)
    heat = np.clip(inside / reach * 1.5 + 0.18 * crust, 0, 1)
    halo = softened(burnt, 5 * look.size) * allowed
    brown = np.array((0.36, 0.2, 0.08), np.float32)
    color: Field = look.scorch + (1 - ramp(heat, 0.15, 0.75))[..., None] * (brown - look.scorch)
    color += np.float32(0.035) * crust[..., None]
    picture *= 1 - (0.45 * halo[..., None] * np.array((0.25, 0.5, 0.85), np.float32))
    blend(picture, np.clip(color, 0, 1), softened(burnt, 1.4) * (0.75 + 0.25 * heat) * allowed)
    mark(mask, burnt, 14, allowed)
