"""Manuscript leaves of the sample: ruled lines of script, a miniature, an initial and vines in the margin."""

import cv2
import numpy as np

from patina.damage.additions import handwriting
from patina.damage.fields import Picture, blend, noise, ring, stroke
from patina.download.sample_motifs import draw_palette, line, modelled


def _script(rng: np.random.Generator, shape: tuple[int, int], box: tuple[float, float, float, float], height: float) -> np.ndarray:
    """Ink coverage uint8 [H, W] of lines of script, `height` pixels high, in `box` (left, top, right, bottom)."""
    left, top, right, bottom = box
    coverage = np.zeros(shape, np.uint8)
    words = [handwriting(rng, int(rng.integers(2, 8)), height) for _ in range(40)]
    for baseline in np.arange(top + 2 * height, bottom, height * 2.3):
        at = left
        while True:
            word = words[int(rng.integers(len(words)))]
            if at + float(word[:, 0].max()) > right:
                break
            stroke(coverage, word + np.array((at, baseline), np.float32), height / 6, rng.uniform(0.65, 1.0))
            at += float(word[:, 0].max()) + height * 0.8
    return coverage


def manuscript(rng: np.random.Generator, sheet: Picture, scene: Picture | None) -> Picture:
    """A leaf on `sheet` (float32 RGB [H, W, 3] in 0..1): script and, where given, `scene` scaled down as its miniature."""
    height, width = sheet.shape[:2]
    picture = sheet.copy()
    colors = draw_palette(rng, 1.5)
    left, right = width * rng.uniform(0.08, 0.16), width * rng.uniform(0.84, 0.93)
    top, bottom = height * rng.uniform(0.06, 0.1), height * rng.uniform(0.9, 0.96)
    letter = max(7.0, height / rng.uniform(42, 64))
    if scene is not None:
        split = height * rng.uniform(0.45, 0.78)
        box = np.array((left, top, right, split)).astype(int)
        small = cv2.resize(scene, (int(box[2] - box[0]), int(box[3] - box[1])), interpolation=cv2.INTER_AREA)
        picture[box[1] : box[3], box[0] : box[2]] = small * (1 + 0.03 * noise(rng, small.shape[:2], 8, 3)[..., None])
        frame = np.zeros((height, width), np.uint8)
        cv2.rectangle(frame, (int(box[0]), int(box[1])), (int(box[2]), int(box[3])), 255, max(3, width // 90))
        blend(picture, rng.choice((0.75, 1.0)) * np.array((0.85, 0.66, 0.25)), frame.astype(np.float32) / 255)
        top = split + letter * 0.5
    ink = np.array((0.17, 0.11, 0.07)) * rng.uniform(0.5, 2.2)
    columns = 2 if width > height or rng.random() < 0.3 else 1
    for column in range(columns):
        start = left + column * (right - left) / columns
        box = (start, top, start + (right - left) / columns - letter * 1.5 * (columns > 1), bottom)
        blend(picture, np.clip(ink, 0, 1), _script(rng, (height, width), box, letter).astype(np.float32) / 255 * np.float32(0.9))
    drawing = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    modelled(
        drawing,
        [(left, top), (left + 3 * letter, top), (left + 3 * letter, top + 3.4 * letter), (left, top + 3.4 * letter)],
        colors[2],
        4.0,
    )
    line(drawing, ring((left + 1.5 * letter, top + 1.7 * letter), (letter, letter * 1.2)), colors[7], letter / 3, closed=True)
    if rng.random() < 0.7:
        _vine(rng, drawing, left * 0.5, bottom, colors, letter)
    return drawing.astype(np.float32) / np.float32(255)


def _vine(rng: np.random.Generator, drawing: np.ndarray, x: float, bottom: float, colors: np.ndarray, size: float) -> None:
    y = np.arange(bottom, bottom * 0.1, -6.0)
    stem = np.stack([x + size * 0.7 * np.sin(y / (size * 2.2)), y], axis=1)
    line(drawing, stem, colors[1], 1.5)
    for place in stem[::7]:
        side = rng.uniform(0, 2 * np.pi)
        leaf = place + size * np.array((np.cos(side), np.sin(side)))
        modelled(drawing, ring(leaf, (size * 0.6, size * 0.3), side, count=12), colors[rng.integers(1, 7)], 4.0)
