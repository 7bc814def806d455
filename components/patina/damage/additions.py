"""Damage that people add: Writing, Stamp, Sticker.

Every drawing takes (rng, picture, mask, look, pixels) as those of `patina.damage.layers` do. Writing marks its strokes;
a stamp and a sticker mark their whole outline, as annotators do.
"""

import cv2
import numpy as np

from patina.core.taxonomy import IGNORE
from patina.damage.fields import Mask, Picture, Points, blend, lit, mark, noise, polygon, ramp, rectangle, ring, stroke
from patina.damage.look import Look

_LETTERS = "ABCDEFGHKLMNOPRSTUVWXYZ0123456789"


def handwriting(rng: np.random.Generator, letters: int, height: float) -> Points:
    """A cursive line of `letters` letters from (0, 0): points [N, 2], x to the right, letters `height` pixels high."""
    turns = np.linspace(0, 2 * np.pi * letters, letters * 12)
    rise = np.repeat(rng.choice((0.45, 0.55, 1.0, 0.5), letters), 12) * height
    loop = np.repeat(rng.uniform(0.15, 0.55, letters), 12) * height
    x = turns / (2 * np.pi) * height * 0.62 + loop * np.cos(turns) * 0.6
    y = -rise * (0.5 - 0.5 * np.cos(turns + 0.6)) + 0.12 * height * np.sin(turns * 0.5)
    return np.stack([x - 0.25 * y, y], axis=1).astype(np.float32)


def writing(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """Later notes by hand: cursive words in pencil or ink, a little askew."""
    allowed = mask != IGNORE
    height, width = mask.shape
    coverage = np.zeros(mask.shape, np.uint8)
    size = float(rng.uniform(13, 24)) * look.size
    pen = float(rng.uniform(1.6, 2.6)) * look.size
    tilt = rng.normal(0, 0.15)
    turn = np.array([(np.cos(tilt), np.sin(tilt)), (-np.sin(tilt), np.cos(tilt))])
    for _ in range(40):
        x, y = rng.uniform(0.02, 0.6) * width, rng.uniform(0.06, 0.9) * height
        for row in range(int(rng.integers(1, 4))):
            at = 0.0
            while x + at < width * 0.95 and rng.random() < 0.8:
                word = handwriting(rng, int(rng.integers(2, 8)), size)
                offset = np.array((at, row * size * 1.7))
                stroke(coverage, (word + offset) @ turn + (x, y), pen, rng.uniform(0.8, 1.0))
                at += float(word[:, 0].max()) + size * 0.6
                if int((coverage >= 110).sum()) >= pixels:
                    break
        if int((coverage >= 110).sum()) >= pixels:
            break
    alpha = coverage.astype(np.float32) / 255 * (0.82 + 0.1 * noise(rng, mask.shape, 5, 1)) * allowed
    blend(picture, look.ink, np.clip(alpha, 0, 1))
    mark(mask, coverage >= 110, 8, allowed)


def _lettering(rng: np.random.Generator, coverage: Mask, text_at: Points, size: float) -> None:
    """Draws capital letters, each around its own point of `text_at`, without turning them."""
    for x, y in text_at:
        letter = _LETTERS[int(rng.integers(len(_LETTERS)))]
        where = (int(x - 9 * size), int(y + 10 * size))
        cv2.putText(coverage, letter, where, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * size, 255, max(1, round(1.8 * size)), cv2.LINE_AA)


def _round_stamp(rng: np.random.Generator, shape: tuple[int, int], center: Points, radius: float) -> tuple[Mask, Mask]:
    ink, hull = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    flat = float(rng.uniform(0.7, 1.0))
    angle = float(rng.normal(0, 0.3))
    thick = max(1.5, radius * 0.07)
    for share in (1.0, 0.62):
        outline = ring(center, (radius * share, radius * share * flat), angle, count=60)
        stroke(ink, np.vstack([outline, outline[:1]]), thick)
    polygon(hull, ring(center, (radius + thick / 2, radius * flat + thick / 2), angle, count=60))
    _lettering(rng, ink, ring(center, (radius * 0.82, radius * 0.82 * flat), angle, count=max(6, int(radius / 2.6))), radius * 0.012 + 0.12)
    _lettering(rng, ink, center + np.array([(-0.3, 0), (0, 0), (0.3, 0)], np.float32) * radius, radius * 0.016 + 0.15)
    return ink, hull


def _box_stamp(rng: np.random.Generator, shape: tuple[int, int], center: Points, radius: float) -> tuple[Mask, Mask]:
    ink, hull = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    angle = float(rng.normal(0, 0.2))
    size = (radius * 2.5, radius * float(rng.uniform(0.9, 1.3)))
    thick = max(1.5, radius * 0.08)
    outline = rectangle(center, size, angle)
    stroke(ink, np.vstack([outline, outline[:1]]), thick)
    polygon(hull, rectangle(center, (size[0] + thick, size[1] + thick), angle))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    for row in (-0.24, 0.24):
        at = np.stack([np.linspace(-0.4, 0.4, 8) * size[0], np.full(8, row * size[1])], axis=1)
        _lettering(rng, ink, (at @ turn + center).astype(np.float32), radius * 0.015 + 0.12)
    return ink, hull


def stamp(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """A collection's rubber stamp, round or boxed, in translucent and patchy ink."""
    allowed = mask != IGNORE
    height, width = mask.shape
    boxed = rng.random() < 0.4
    radius = float(np.clip(np.sqrt(pixels / (2.75 if boxed else 2.7)), 14, 0.22 * min(height, width)))
    for _ in range(max(1, round(pixels / (2.7 * radius**2)))):
        center = np.array((rng.uniform(1.3 * radius, width - 1.3 * radius), rng.uniform(1.1 * radius, height - 1.1 * radius)), np.float32)
        ink, hull = (_box_stamp if boxed else _round_stamp)(rng, mask.shape, center, radius)
        patchy = 0.55 + 0.45 * ramp(noise(rng, mask.shape, 9 * look.size, 3), -1.2, 0.2)
        blend(picture, look.stamp, ink.astype(np.float32) / 255 * patchy * 0.85 * allowed)
        mark(mask, hull >= 128, 11, allowed)


def sticker(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:
    """A glued paper label: cast shadow, printed frame, a number and a line by hand."""
    allowed = mask != IGNORE
    height, width = mask.shape
    count = int(rng.integers(1, 3))
    for _ in range(count):
        aspect = float(rng.uniform(1.1, 2.0))
        tall = float(np.clip(np.sqrt(pixels / count / aspect), 16, 0.4 * min(height, width)))
        size = (tall * aspect, tall)
        angle = float(rng.normal(0, 0.15))
        center = np.array((rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height), np.float32)
        center = np.clip(center, np.array(size) * 0.55, np.array((width, height)) - np.array(size) * 0.55)
        paper, print_, pen = (np.zeros(mask.shape, np.uint8) for _ in range(3))
        if rng.random() < 0.25:
            polygon(paper, ring(center, (tall * 0.62, tall * 0.62), count=50))
        else:
            polygon(paper, rectangle(center, size, angle))
        for share in (0.86, 0.8):
            outline = rectangle(center, (size[0] * share, size[1] * share), angle)
            stroke(print_, np.vstack([outline, outline[:1]]), max(1.0, tall * 0.02))
        turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
        at = np.stack([np.linspace(-0.26, 0.26, 4) * size[0], np.full(4, -0.16 * tall)], axis=1)
        _lettering(rng, print_, (at @ turn + center).astype(np.float32), tall * 0.012)
        line = handwriting(rng, 6, tall * 0.2)
        line = (line - line.mean(axis=0)) * min(1.0, 0.62 * size[0] / max(float(np.ptp(line[:, 0])), 1.0)) + (0, 0.2 * tall)
        stroke(pen, line @ turn + center, max(1.0, tall * 0.025))
        cover = paper.astype(np.float32) / 255 * allowed
        shadow = cv2.GaussianBlur(cover, (0, 0), 2.2 * look.size)
        offset = (round(-3 * np.sin(look.light) * look.size), round(-3 * np.cos(look.light) * look.size))
        lit(picture, -0.35 * np.roll(shadow, offset, (0, 1)) * allowed)
        tone = look.label + 0.02 * noise(rng, mask.shape, 30, 2)[..., None] + 0.012 * noise(rng, mask.shape, 2, 1)[..., None]
        blend(picture, np.clip(tone, 0, 1), cover)
        blend(picture, look.stamp, print_.astype(np.float32) / 255 * cover * 0.85)
        blend(picture, look.ink, pen.astype(np.float32) / 255 * cover * 0.85)
        mark(mask, paper >= 128, 12, allowed)
