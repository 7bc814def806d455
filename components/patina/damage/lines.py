"""Damage in lines: Scratch, Hair, Fold, Cracks.

Every drawing takes (rng, picture, mask, look, pixels) as those of `patina.damage.layers` do. Lines thinner than a pixel
still mark one pixel.
"""

import cv2
import numpy as np

from patina.core.taxonomy import IGNORE
from patina.damage.fields import Mask, Picture, Points, blend, cells, highest, lit, mark, noise, softened, stroke
from patina.damage.look import Look

_HALF = 110
"""Coverage (of 255) from which an anti-aliased stroke marks a pixel."""


def _walk(rng: np.random.Generator, start: tuple[float, float], heading: float, length: float, bend: float, step: float = 4.0) -> Points:
    """A line of `length` pixels from `start` whose heading drifts by `bend` radians (deviation) per step."""
    headings = heading + np.cumsum(rng.normal(0, bend, max(2, int(length / step))))
    moves = step * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    return (np.array(start) + np.cumsum(moves, axis=0)).astype(np.float32)


def _start(rng: np.random.Generator, mask: Mask) -> tuple[float, float]:
    return float(rng.uniform(0, mask.shape[1])), float(rng.uniform(0, mask.shape[0]))


def scratch(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Long, thin, nearly straight lines that run about one way, broken where they lift off."""
    allowed = mask != IGNORE
    coverage = np.zeros(mask.shape, np.uint8)
    longest = max(mask.shape)
    drawn = 0
    while drawn < pixels:
        width = float(rng.choice((1.0, 1.3, 2.0, 3.0), p=(0.35, 0.35, 0.2, 0.1))) * min(look.size, 1.5)
        length = min(float(rng.uniform(0.15, 0.9)) * longest, (pixels - drawn) / width + 20)
        line = _walk(rng, _start(rng, mask), look.direction + rng.normal(0, 0.09) + np.pi * rng.integers(2), length, 0.008)
        strength = rng.uniform(0.7, 1.0)
        for part in np.array_split(line, max(1, len(line) // 14)):
            if len(part) > 1 and rng.random() < 0.9:
                stroke(coverage, part, width, strength)
        drawn += int(length * max(width, 1.0))
    blend(picture, look.scratch, coverage.astype(np.float32) / 255 * np.float32(0.85) * allowed)
    mark(mask, coverage >= _HALF, 4, allowed)


def hair(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Curled thin fibres with a faint shadow."""
    allowed = mask != IGNORE
    coverage = np.zeros(mask.shape, np.uint8)
    drawn = 0
    while drawn < pixels:
        length = float(min(rng.uniform(30, 140) * look.size, pixels - drawn + 15))
        step, count = 2.5, max(4, int(length / 2.5))
        curl = rng.normal(0, 0.05) + np.cumsum(rng.normal(0, 0.03, count))
        headings = rng.uniform(0, 2 * np.pi) + np.cumsum(np.clip(curl, -0.22, 0.22))
        line = np.array(_start(rng, mask)) + np.cumsum(step * np.stack([np.cos(headings), np.sin(headings)], 1), axis=0)
        stroke(coverage, line, 1.2 * look.size)
        drawn += int(length * 1.5)
    alpha = coverage.astype(np.float32) / 255 * allowed
    lit(picture, -0.2 * np.roll(cv2.GaussianBlur(alpha, (0, 0), 1.2), (2, 2), (0, 1)))
    blend(picture, look.hair, 0.9 * alpha)
    mark(mask, coverage >= _HALF, 5, allowed)


def fold(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Creases from edge to edge: a lit and a shaded flank beside a worn line."""
    allowed = mask != IGNORE
    height, width = mask.shape
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    half = float(rng.uniform(6.0, 10.5)) * look.size
    tilt, turns, drawn = float(rng.normal(0, 0.05)), int(rng.integers(2)), 0
    wear = noise(rng, mask.shape, 7.0, 2)
    worn = np.zeros(mask.shape, np.float32)
    while drawn < pixels:
        angle = tilt + (np.pi / 2) * (turns % 2) + rng.normal(0, 0.04) + (rng.uniform(-0.9, 0.9) if rng.random() < 0.2 else 0)
        center_x, center_y = width * rng.uniform(0.08, 0.92), height * rng.uniform(0.08, 0.92)
        sin, cos = float(np.sin(angle)), float(np.cos(angle))
        span = abs(width * cos) + abs(height * sin)
        band = min(half, max(3.0, (pixels - drawn) / (2 * span)))
        across = np.float32(cos) * (y - np.float32(center_y)) - np.float32(sin) * (x - np.float32(center_x))
        near = np.flatnonzero(np.abs(across.ravel()) < band + 3 * look.size)
        along = (near % width - center_x) * cos + (near // width - center_y) * sin
        away = across.ravel()[near] + 1.6 * look.size * np.sin(along * (2 * np.pi / span * 1.7))
        inside = (np.abs(away) < band) & allowed.ravel()[near]
        if pixels - drawn < 0.7 * span * 2 * band:
            inside &= along > 0
        near, away = near[inside], (away[inside] / band).astype(np.float32)
        facing = 0.55 if np.sin(look.light - angle) >= 0 else -0.55
        shade = 1 + np.float32(facing) * np.sin(np.float32(np.pi) * away) * (1 - np.float32(0.35) * np.abs(away))
        band_pixels = near // width, near % width
        picture[band_pixels] *= shade[:, None]
        worn[band_pixels] = np.where((np.abs(away) * band < 0.8 * look.size) & (wear[band_pixels] > -0.6), 0.65, worn[band_pixels])
        mask[band_pixels] = 7
        drawn += max(len(near), 50)
        turns += int(rng.random() < 0.7)
    blend(picture, np.clip(look.underlayer * 1.1, 0, 1), cv2.GaussianBlur(worn, (0, 0), 0.6) * allowed)
    np.clip(picture, 0, 1, out=picture)


def cracks(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """A dark branching network: craquelure over a region, with a few long fissures through it."""
    allowed = mask != IGNORE
    width = 1.7 * look.size
    fissures = np.zeros(mask.shape, np.uint8)
    goal = pixels * rng.uniform(0.15, 0.6)
    drawn = 0.0
    while drawn < goal:
        todo = [(_start(rng, mask), rng.uniform(0, 2 * np.pi), float(rng.uniform(0.2, 0.5)) * max(mask.shape), width * 1.3)]
        while todo and drawn < goal:
            start, heading, length, thick = todo.pop()
            line = _walk(rng, start, heading, length, 0.22)
            stroke(fissures, line, thick)
            drawn += length * max(thick, 1.2)
            for _ in range(int(rng.integers(1, 4))):
                if length > 40:
                    at = int(rng.integers(len(line)))
                    turn = heading + rng.choice((-1, 1)) * rng.uniform(0.5, 1.2)
                    todo.append((tuple(line[at].tolist()), turn, length * float(rng.uniform(0.25, 0.6)), max(1.0, thick * 0.75)))
    labels = cells(rng, mask.shape, float(rng.uniform(1.3, 2.6)) * look.flake, 0.18)
    borders = np.zeros(mask.shape, np.bool_)
    borders[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    borders[1:] |= labels[1:] != labels[:-1]
    if look.size > 1.4:
        borders = cv2.dilate(borders.view(np.uint8), np.ones((2, 2), np.uint8)).view(np.bool_)
    region = noise(rng, mask.shape, max(mask.shape) * 0.35, 3)
    rest = max(int(pixels - drawn), 0)
    density = max(float(borders.mean()), 1e-3)
    net = borders & highest(np.where(allowed, region, -np.inf).astype(np.float32), int(rest / density))
    coverage = np.maximum(fissures, np.where(net, np.uint8(235), np.uint8(0)))
    alpha = cv2.GaussianBlur(coverage, (0, 0), 0.55).astype(np.float32) / 255
    alpha = np.clip(1.35 * alpha, 0, 1) * allowed
    lit(picture, 0.16 * np.roll(softened(coverage > _HALF, 0.8), (1, 1), (0, 1)) * allowed)
    blend(picture, look.crack, 0.92 * alpha)
    mark(mask, coverage >= _HALF, 9, allowed)
