"""Motifs of the sample: landscapes, portraits, groups of figures, buildings, plants and ornaments, each in its own palette.

Every motif is drawn as uint8 RGB [H, W, 3]. Motifs hold what damage resembles on purpose: dry leaves (stains), bare
branches (cracks), white lights (scratches), pale shapes (losses), dots (dust).
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from patina.damage.fields import Field, noise, ramp, rectangle, ring

Drawing = NDArray[np.uint8]
Palette = NDArray[np.float32]
"""float32 [8, 3] RGB in 0..1, from dark to pale."""
Motif = Callable[[np.random.Generator, tuple[int, int], Palette], Drawing]


def draw_palette(rng: np.random.Generator, chroma: float = 1.0) -> Palette:
    """Eight related colours from dark to pale around two or three hues; `chroma` 0 is grey, 1 usual, 1.6 gaudy."""
    hue = rng.uniform(0, 2 * np.pi)
    hues = hue + rng.choice((0.0, 0.5, np.pi, np.pi - 0.6), 8) + rng.normal(0, 0.2, 8)
    chromas = chroma * rng.uniform(4, 34, 8) * np.array((0.5, 0.8, 1, 1.1, 1.1, 1, 0.8, 0.5))
    lightness = np.sort(np.linspace(rng.uniform(8, 22), rng.uniform(82, 96), 8) + rng.normal(0, 4, 8))
    lab = np.stack([lightness, chromas * np.cos(hues) * 0.75 + 4 * chroma, chromas * np.sin(hues) + 10 * chroma], axis=1)
    return np.clip(cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_Lab2RGB)[0], 0, 1)


def _color(color: ArrayLike) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(np.asarray(color) * 255, 0, 255))


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    return np.round(np.asarray(points, np.float64) * 16).astype(np.int32).reshape(-1, 1, 2)


def flat(picture: Drawing, points: ArrayLike, color: ArrayLike) -> None:
    """Fills a polygon of (x, y) points with one colour (RGB 0..1)."""
    cv2.fillPoly(picture, [_fixed(points)], _color(color), cv2.LINE_AA, 4)


def line(picture: Drawing, points: ArrayLike, color: ArrayLike, width: float = 1, closed: bool = False) -> None:
    """Draws a line through (x, y) points."""
    cv2.polylines(picture, [_fixed(points)], closed, _color(color), max(1, round(width)), cv2.LINE_AA, 4)


def modelled(picture: Drawing, points: ArrayLike, color: ArrayLike, light: float, relief: float = 0.3) -> None:
    """Fills a polygon whose colour brightens towards the light by +-`relief`, as a rounded body's would."""
    outline = np.asarray(points, np.float64)
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(outline.min(axis=0)).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil(outline.max(axis=0)).astype(int) + 1, 0, (width, height))
    if right - left < 2 or bottom - top < 2:
        return
    cover = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(cover, [_fixed(outline - (left, top))], 255, cv2.LINE_AA, 4)
    x = np.linspace(-1, 1, right - left, dtype=np.float32)[None]
    y = np.linspace(-1, 1, bottom - top, dtype=np.float32)[:, None]
    facing = np.cos(light) * x + np.sin(light) * y
    shade = 1 + np.float32(relief) * (facing - 0.45 * facing * facing)
    paint = np.clip(shade[..., None] * (np.asarray(color, np.float32) * 255), 0, 255)
    part = picture[top:bottom, left:right]
    part[:] = (part + (cover[..., None] / np.float32(255)) * (paint - part)).astype(np.uint8)


def ground(rng: np.random.Generator, shape: tuple[int, int], upper: ArrayLike, lower: ArrayLike, rough: float = 0.03) -> Drawing:
    """A backdrop that passes from `upper` to `lower` with clouds of strength `rough`."""
    height, width = shape
    t = ramp(np.linspace(0, 1, height, dtype=np.float32)[:, None] + 1.5 * rough * noise(rng, shape, width * 0.4, 3), 0, 1)[..., None]
    tone = np.float32(rough) * noise(rng, shape, width * 0.25, 4)[..., None]
    color = np.asarray(upper, np.float32) * (1 - t) + np.asarray(lower, np.float32) * t + tone
    return (np.clip(color, 0, 1) * 255).astype(np.uint8)


def _ridge(rng: np.random.Generator, width: int, level: float, height: float) -> Field:
    x = np.linspace(0, 1, width // 3)
    waves = sum(np.sin(2 * np.pi * (x * f + rng.random())) * height / f**0.8 for f in (0.7, 1.6, 3.7, 8.1, 17.0))
    return np.stack([x * width, level + np.asarray(waves)], axis=1).astype(np.float32)


def branches(
    rng: np.random.Generator, picture: Drawing, root: ArrayLike, heading: float, length: float, color: ArrayLike, thick: float
) -> list[tuple[float, float]]:
    """A bare tree; returns the ends of its twigs."""
    ends: list[tuple[float, float]] = []
    todo = [(np.asarray(root, np.float64), heading, length, thick)]
    while todo and len(ends) < 60:
        at, angle, reach, width = todo.pop(0)
        bend = angle + np.cumsum(rng.normal(0, 0.15, 6))
        path = at + np.cumsum(reach / 6 * np.stack([np.cos(bend), np.sin(bend)], axis=1), axis=0)
        line(picture, np.vstack([at[None], path]), color, width)
        if reach < length * 0.22:
            ends.append((float(path[-1, 0]), float(path[-1, 1])))
            continue
        for side in (-1, 1):
            turn = float(bend[-1] + side * rng.uniform(0.2, 0.75))
            todo.append((path[int(rng.integers(3, 6))], turn, reach * rng.uniform(0.6, 0.8), width * 0.65))
    return ends


def foliage(rng: np.random.Generator, picture: Drawing, places: ArrayLike, colors: ArrayLike, size: float, per_place: int = 6) -> None:
    """Small leaves strewn around `places`."""
    shades = np.asarray(colors, np.float32)
    for place in np.asarray(places, np.float64):
        for _ in range(per_place):
            center = place + rng.normal(0, size * 1.5, 2)
            outline = ring(center, (size * rng.uniform(0.6, 1.1), size * rng.uniform(0.25, 0.6)), rng.uniform(0, np.pi), count=9)
            flat(picture, outline, shades[rng.integers(len(shades))] * rng.uniform(0.8, 1.15))


def landscape(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """Sky, receding hills, water, trees, a house or two."""
    height, width = shape
    light = float(rng.uniform(np.pi, 2 * np.pi))
    picture = ground(rng, shape, palette[rng.integers(4, 7)], palette[7], 0.05)
    if rng.random() < 0.6:
        disc = (rng.uniform(0.1, 0.9) * width, rng.uniform(0.08, 0.3) * height)
        flat(picture, ring(disc, (width * 0.05,) * 2), palette[7] * 1.05)
    horizon = rng.uniform(0.35, 0.6) * height
    layers = int(rng.integers(3, 6))
    order = np.sort(rng.choice(7, layers, replace=False))[::-1]
    for layer in range(layers):
        level = horizon + (height - horizon) * layer / layers
        ridge = _ridge(rng, width, level, height * 0.03 * (1 + layer * 0.4))
        body = np.vstack([ridge, [(width, ridge[-1, 1]), (width, height), (0, height)]])
        haze = 0.5 * (1 - layer / layers)
        modelled(picture, body, palette[order[layer]] * (1 - haze) + palette[7] * haze, light, 0.25)
        if layer == 1 and rng.random() < 0.6:
            left, mid = rng.uniform(0, 0.5) * width, level + 0.06 * height
            shore = ring((left + 0.3 * width, mid), (0.35 * width, 0.045 * height), 0, rng.normal(0, 0.12, 40))
            modelled(picture, shore, palette[6], light, 0.2)
            for _ in range(9):
                x, y = left + rng.uniform(0.05, 0.5) * width, mid + rng.uniform(-0.02, 0.02) * height
                line(picture, [(x, y), (x + rng.uniform(10, 50), y + rng.normal(0, 0.6))], palette[7])
        if rng.random() < 0.5:
            for _ in range(int(rng.integers(1, 4))):
                _house(rng, picture, (rng.uniform(0.05, 0.9) * width, level + rng.uniform(0.02, 0.08) * height), height * 0.07, palette)
    for _ in range(int(rng.integers(1, 5))):
        root = (rng.uniform(0.02, 0.98) * width, rng.uniform(0.7, 1.0) * height)
        tall = rng.uniform(0.12, 0.34) * height
        ends = branches(rng, picture, root, -np.pi / 2 + rng.normal(0, 0.1), tall, palette[0] * rng.uniform(0.6, 1.1), tall / 22)
        if rng.random() < 0.7:
            foliage(rng, picture, ends, palette[rng.choice(7, 3)], max(2.5, tall / 22), int(rng.integers(3, 9)))
    return picture


def _house(rng: np.random.Generator, picture: Drawing, at: tuple[float, float], size: float, palette: Palette) -> None:
    wide, tall = size * rng.uniform(0.9, 1.7), size * rng.uniform(0.7, 1.1)
    x, y = at
    flat(picture, [(x, y), (x + wide, y), (x + wide, y - tall), (x, y - tall)], palette[rng.integers(4, 8)])
    flat(picture, [(x + wide * 0.6, y), (x + wide, y), (x + wide, y - tall), (x + wide * 0.6, y - tall)], palette[rng.integers(2, 5)])
    roof = [(x - 2, y - tall), (x + wide + 2, y - tall), (x + wide * 0.7, y - tall * 1.5), (x + wide * 0.2, y - tall * 1.5)]
    flat(picture, roof, palette[rng.integers(0, 4)])
    for step in (0.15, 0.4, 0.75):
        left, top = x + wide * step, y - tall * 0.65
        flat(
            picture, [(left, top), (left + wide * 0.1, top), (left + wide * 0.1, top + tall * 0.25), (left, top + tall * 0.25)], palette[0]
        )


def _head(
    rng: np.random.Generator, picture: Drawing, center: tuple[float, float], size: float, palette: Palette, skin: ArrayLike, light: float
) -> None:
    """A face of `size` pixels half height with hair and features."""
    x, y = center
    turn = rng.normal(0, 0.08)
    hair = np.clip(palette[rng.integers(0, 3)] * 0.4 + np.array((0.24, 0.16, 0.09)) * rng.uniform(0.3, 1.8), 0, 1)
    wave = np.abs(rng.normal(0, 0.06, 40))
    modelled(picture, ring((x, y - size * 0.15), (size * 0.92, size * 1.08), turn, wave), hair, light, 0.4)
    modelled(picture, ring((x, y + size * 0.06), (size * 0.68, size * 0.9), turn), skin, light, 0.42)
    dark = np.asarray(skin) * 0.35
    for side in (-1, 1):
        eye = (x + side * size * 0.27, y - size * 0.03)
        line(picture, ring(eye, (size * 0.13, size * 0.055), count=14), dark, size / 30, closed=True)
        flat(picture, ring(eye, (size * 0.05, size * 0.05), count=10), dark * 0.5)
        brow = [(eye[0] - size * 0.17, eye[1] - size * 0.12), (eye[0], eye[1] - size * 0.19), (eye[0] + size * 0.17, eye[1] - size * 0.13)]
        line(picture, brow, hair * 0.8, size / 22)
    line(picture, [(x, y - size * 0.05), (x + size * 0.1, y + size * 0.28), (x - size * 0.03, y + size * 0.3)], dark, size / 32)
    mouth = [(x - size * 0.2, y + size * 0.5), (x, y + size * 0.535), (x + size * 0.2, y + size * 0.5)]
    line(picture, mouth, np.asarray(skin) * (0.75, 0.4, 0.4), size / 16)


def portrait(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """A half-length sitter before a plain or draped ground, with lace, buttons and a chain."""
    height, width = shape
    light = float(rng.uniform(np.pi * 1.05, np.pi * 1.95))
    tones = rng.integers(0, 6, 2)
    picture = ground(rng, shape, palette[tones[0]], palette[tones[1]], 0.05)
    size = 0.19 * min(height, width * 1.2) * rng.uniform(0.85, 1.2)
    x, y = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.32, 0.4)
    if rng.random() < 0.5:
        for fold in np.linspace(0, rng.uniform(0.25, 0.5), 7):
            drape = [(fold * width, 0), ((fold + 0.05) * width, 0), ((fold + 0.03) * width, height), ((fold - 0.04) * width, height)]
            modelled(picture, drape, palette[rng.integers(1, 5)], 0.0, 0.5)
    dress = palette[rng.integers(0, 6)]
    skin = np.clip(np.array((0.86, 0.68, 0.55)) * rng.uniform(0.65, 1.08) + 0.15 * (palette[5] - 0.5), 0.1, 1)
    shoulders = [(-2.1, 4.8), (-2.0, 2.2), (-1.3, 1.5), (-0.4, 1.15), (0.4, 1.15), (1.3, 1.5), (2.0, 2.2), (2.1, 4.8)]
    body = np.array(shoulders) * size * (rng.uniform(0.9, 1.15), 1) + (x, y)
    modelled(picture, body, dress, light, 0.45)
    for _ in range(int(rng.integers(5, 11))):
        start = np.array((x + rng.uniform(-1.4, 1.4) * size, y + rng.uniform(1.6, 2.2) * size))
        bend = np.cumsum(rng.normal((0, 0.5), (0.12, 0.1), (8, 2)) * size * 0.7, axis=0)
        line(picture, start + bend, dress * rng.choice((0.45, 1.5)), max(1.5, size / 25))
    neck = np.array([(-0.35, 0.6), (0.35, 0.6), (0.5, 1.6), (-0.5, 1.6)]) * size + (x, y)
    flat(picture, neck, skin * 0.78)
    collar = ring((x, y + 1.45 * size), (0.95 * size, 0.34 * size), 0, 0.08 * np.cos(np.arange(40) * 2.5))
    if rng.random() < 0.7:
        modelled(picture, collar, palette[7], light, 0.3)
    _head(rng, picture, (x, y), size, palette, skin, light)
    for step in np.linspace(1.9, 3.8, int(rng.integers(4, 9))):
        flat(picture, ring((x + 0.05 * size, y + step * size), (size * 0.06,) * 2, count=12), palette[rng.integers(5, 8)])
    return picture


def figures(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """Robed figures side by side before arches or a plain gold or blue ground, some with haloes."""
    height, width = shape
    light = float(rng.uniform(np.pi * 1.05, np.pi * 1.95))
    back = palette[rng.integers(1, 7)]
    picture = ground(rng, shape, back, back * rng.uniform(0.8, 1.1), 0.03)
    floor = height * rng.uniform(0.78, 0.9)
    flat(picture, [(0, floor), (width, floor), (width, height), (0, height)], palette[rng.integers(1, 6)])
    count = int(np.clip(round(width / height * rng.uniform(2, 4.5)), 1, 6))
    halo, arched = rng.random() < 0.6, rng.random() < 0.5
    skin = np.clip(np.array((0.82, 0.64, 0.5)) * rng.uniform(0.6, 1.1), 0, 1)
    for figure in range(count):
        x = width * (figure + 0.5) / count + rng.normal(0, 0.01) * width
        tall = height * rng.uniform(0.58, 0.7)
        top, wide = floor - tall + rng.uniform(0, 0.06) * height, min(width / count * 0.46, tall * 0.26)
        size = tall * 0.085
        if arched:
            span = np.linspace(np.pi, 2 * np.pi, 20)
            arc = np.stack([x + wide * 1.05 * np.cos(span), top + wide * 0.9 * np.sin(span)], axis=1)
            line(picture, np.vstack([[(x - wide * 1.05, floor)], arc, [(x + wide * 1.05, floor)]]), palette[rng.integers(0, 8)], width / 90)
        robe = palette[rng.integers(0, 7)]
        sway = rng.normal(0, 0.12)
        outline = np.array(
            [(-0.35, 0.17), (0.35, 0.17), (0.62, 0.45), (0.55, 0.75), (0.8, 1.02), (-0.75, 1.02), (-0.55, 0.7), (-0.66, 0.42)]
        )
        modelled(picture, outline * (wide, tall) + (x + sway * size, top), robe, light, 0.45)
        if rng.random() < 0.7:
            mantle = np.array([(-0.4, 0.18), (0.15, 0.18), (0.5, 0.6), (0.1, 0.95), (-0.5, 0.8), (-0.66, 0.42)])
            modelled(picture, mantle * (wide, tall) + (x, top), palette[rng.integers(1, 8)], light, 0.4)
        for _ in range(int(rng.integers(4, 9))):
            start = np.array((x + rng.uniform(-0.4, 0.4) * wide, top + rng.uniform(0.25, 0.55) * tall))
            run = start + np.cumsum(rng.normal((0.0, 0.06), (0.025, 0.02), (7, 2)) * (wide, tall), axis=0)
            line(picture, run, robe * rng.choice((0.4, 1.6)), max(1.0, size / 9))
        if halo:
            modelled(picture, ring((x, top + 0.09 * tall), (size * 1.5,) * 2), (0.86, 0.68, 0.28), light, 0.25)
            line(picture, ring((x, top + 0.09 * tall), (size * 1.5,) * 2), palette[0], max(1, size / 10), closed=True)
        _head(rng, picture, (x, top + 0.1 * tall), size, palette, skin, light)
        hand = (x + rng.choice((-1, 1)) * wide * 0.3, top + 0.42 * tall)
        flat(picture, ring(hand, (size * 0.4, size * 0.25), rng.uniform(0, 3)), skin)
    return picture


def buildings(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """Facades with windows, cornices and arches along a street."""
    height, width = shape
    light = float(rng.uniform(0, 2 * np.pi))
    picture = ground(rng, shape, palette[rng.integers(4, 7)], palette[7], 0.05)
    street = height * rng.uniform(0.74, 0.88)
    x = -width * 0.05
    while x < width:
        wide, top = width * rng.uniform(0.16, 0.38), height * rng.uniform(0.1, 0.42)
        wall, dark = palette[rng.integers(3, 8)], palette[rng.integers(0, 3)]
        modelled(picture, [(x, top), (x + wide, top), (x + wide, street), (x, street)], wall, light, 0.25)
        if rng.random() < 0.5:
            flat(picture, [(x - 3, top), (x + wide / 2, top - height * rng.uniform(0.04, 0.14)), (x + wide + 3, top)], dark * 1.3)
        rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 5))
        for row in range(rows):
            base = top + (street - top) * (row + 0.75) / rows
            tall = (street - top) / rows * 0.52
            line(picture, [(x, base + tall * 0.22), (x + wide, base + tall * 0.22)], wall * 0.7, max(1, height / 300))
            for column in range(columns):
                center = x + wide * (column + 0.5) / columns
                half = wide / columns * 0.24
                span = np.linspace(np.pi, 2 * np.pi, 9) if row % 2 else np.array((np.pi, 2 * np.pi))
                arc = np.stack([center + half * np.cos(span), base - tall + half * np.sin(span)], axis=1)
                flat(picture, np.vstack([[(center - half, base)], arc, [(center + half, base)]]), dark)
                line(picture, [(center, base), (center, base - tall)], wall * 1.1, max(1, half / 8))
        x += wide
    flat(picture, [(0, street), (width, street), (width, height), (0, height)], palette[rng.integers(2, 6)])
    for _ in range(int(rng.integers(2, 9))):
        at, size = rng.uniform(0, width), height * rng.uniform(0.03, 0.06)
        foot = street + rng.uniform(0.2, 0.9) * (height - street)
        flat(picture, ring((at, foot - size), (size * 0.28, size)), palette[rng.integers(0, 2)])
        flat(picture, ring((at, foot - 2.1 * size), (size * 0.2,) * 2), palette[rng.integers(0, 6)])
    return picture


def plants(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """Flowering stems, loose or in a vase, with withered leaves fallen beside them."""
    height, width = shape
    light = float(rng.uniform(np.pi, 2 * np.pi))
    backs = palette[rng.choice((0, 1, 6, 7), 2)]
    picture = ground(rng, shape, backs[0], backs[0] * 0.8 + backs[1] * 0.2, 0.04)
    root = np.array((width * rng.uniform(0.4, 0.6), height * rng.uniform(0.75, 0.95)))
    vase = rng.random() < 0.5
    leaves = np.clip(palette[rng.integers(1, 5, 3)] * (0.85, 1.05, 0.7), 0, 1)
    for _ in range(int(rng.integers(4, 10))):
        heading = -np.pi / 2 + rng.normal(0, 0.4)
        bends = heading + np.cumsum(rng.normal(0, 0.12, 14))
        stem = root + np.cumsum(height * rng.uniform(0.03, 0.055) * np.stack([np.cos(bends), np.sin(bends)], axis=1), axis=0)
        line(picture, np.vstack([root[None], stem]), leaves[0] * 0.7, max(1.5, height / 200))
        for joint in range(2, 13, 2):
            side = bends[joint] + rng.choice((-1, 1)) * rng.uniform(0.5, 1.1)
            size = height * rng.uniform(0.02, 0.05)
            center = stem[joint] + size * np.array((np.cos(side), np.sin(side)))
            modelled(picture, ring(center, (size, size * rng.uniform(0.3, 0.45)), side, count=16), leaves[rng.integers(3)], light, 0.4)
            line(picture, [stem[joint], center + 0.8 * (center - stem[joint])], leaves[0] * 0.6)
        bloom, petals = palette[rng.integers(3, 8)], int(rng.integers(5, 11))
        size = height * rng.uniform(0.025, 0.06)
        for petal in np.linspace(0, 2 * np.pi, petals, endpoint=False):
            center = stem[-1] + size * 0.7 * np.array((np.cos(petal), np.sin(petal)))
            modelled(picture, ring(center, (size * 0.62, size * 0.36), petal, count=14), bloom, light, 0.35)
        flat(picture, ring(stem[-1], (size * 0.28,) * 2, count=14), palette[rng.integers(0, 7)])
    if vase:
        pot = np.array([(-0.5, -0.1), (0.5, -0.1), (0.35, 0.1), (0.75, 0.6), (0.5, 1.1), (-0.5, 1.1), (-0.75, 0.6), (-0.35, 0.1)])
        modelled(picture, pot * height * 0.16 + root, palette[rng.integers(2, 7)], light, 0.5)
    fallen = rng.uniform((0.05, 0.75), (0.95, 0.98), (12, 2)) * (width, height)
    foliage(rng, picture, fallen, [(0.45, 0.28, 0.13), leaves[1]], height * 0.014, 1)
    return picture


def ornament(rng: np.random.Generator, shape: tuple[int, int], palette: Palette) -> Drawing:
    """A mirrored tile of lozenges, stars, rings and dots, repeated over the picture inside a border."""
    height, width = shape
    half = int(np.clip(min(shape) / rng.uniform(7, 16), 26, 90))
    tile = np.empty((half, half, 3), np.uint8)
    colors = palette[rng.permutation(8)]
    tile[:] = _color(colors[0])
    for step in range(int(rng.integers(3, 7))):
        color = colors[1 + step % 6]
        center = rng.choice((0.0, 0.5, 1.0), 2) * half
        size = half * rng.uniform(0.12, 0.7)
        match int(rng.integers(5)):
            case 0:
                flat(tile, rectangle(center, (size, size), np.pi / 4), color)
            case 1:
                points = ring(center, (size, size), 0, np.tile((0.0, -0.5), 8), 16)
                flat(tile, points, color)
            case 2:
                line(tile, ring(center, (size, size)), color, max(2, half / 12), closed=True)
            case 3:
                flat(tile, ring(center, (size * 0.35,) * 2, count=16), color)
            case _:
                line(tile, [(0, half * rng.random()), (half, half * rng.random())], color, max(2, half / rng.uniform(6, 14)))
    mirrored = np.concatenate([tile, tile[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]], axis=0)
    pattern = np.tile(mirrored, (height // (2 * half) + 2, width // (2 * half) + 2, 1))
    picture = np.ascontiguousarray(pattern[:height, :width])
    if rng.random() < 0.5:
        for inset, color in ((0.0, colors[1]), (half * 0.5, colors[6]), (half * 0.8, colors[3])):
            cv2.rectangle(picture, (int(inset), int(inset)), (int(width - inset), int(height - inset)), _color(color), max(2, half // 5))
    return picture
