"""How damage looks in one picture: the colours, polarities and sizes that all its instances share.

Two pictures with the same damage differ here, as two real objects do: ageing depends on ground, ink and storage.
"""

from dataclasses import dataclass

import numpy as np

from patina.damage.fields import Field, Picture


@dataclass(frozen=True, eq=False)
class Look:
    """The damage's appearance in one picture. Colours are float32 RGB [3] in 0..1.

    Attributes:
        light: angle in radians that raking light comes from.
        size: pixels that one "unit" of damage has here (1 for a picture of about 600 px).
        underlayer: what a material loss lays open.
        ground: what a peeled flake lays open.
        stain: factor on the picture's colours inside a stain.
        dirt, crack, ink, stamp, label, scorch, hair, scratch, dust: the colour of the damage.
        leak: colour of the outer glow of a lightleak.
        direction: angle in radians that scratches and fibres run along.
        flake: width of one flake in pixels.
    """

    light: float
    size: float
    underlayer: Field
    ground: Field
    stain: Field
    dirt: Field
    crack: Field
    ink: Field
    stamp: Field
    label: Field
    scorch: Field
    hair: Field
    scratch: Field
    dust: Field
    leak: Field
    direction: float
    flake: float


def _rgb(*levels: float) -> Field:
    return np.clip(np.array(levels, np.float32), 0, 1)


def draw_look(rng: np.random.Generator, picture: Picture) -> Look:
    """Draws the appearance of damage for `picture` (float32 RGB [H, W, 3] in 0..1).

    Layers that come to light are mixed from the picture's own colours, so that no colour names a damage.
    """
    height, width = picture.shape[:2]
    own = picture[rng.integers(0, height, 24), rng.integers(0, width, 24)]
    own = own[np.argsort(own.sum(axis=1))]
    dark, middle, pale = own[2], own[12], own[21]
    size = float(np.clip(np.sqrt(height * width) / 520, 0.8, 2.2))

    def tinted(base: Field, share: float, spread: float) -> Field:
        free = _rgb(*rng.uniform(0.25, 0.95, 1).repeat(3) * np.array([1.0, rng.uniform(0.87, 0.97), rng.uniform(0.68, 0.9)]))
        return np.clip(base * (1 - share) + free * share + rng.normal(0, spread, 3).astype(np.float32), 0.04, 0.97)

    def polar(light_share: float) -> Field:
        return _rgb(*(rng.uniform(0.82, 1.0, 3) if rng.random() < light_share else rng.uniform(0.02, 0.2, 3)))

    inks = ((0.12, 0.1, 0.1), (0.15, 0.18, 0.42), (0.45, 0.12, 0.12), (0.3, 0.3, 0.33), (0.28, 0.16, 0.08), (0.12, 0.3, 0.2))
    ink = np.array(inks[rng.integers(len(inks))], np.float32)
    stamp = np.array(inks[rng.integers(len(inks))], np.float32) * np.float32(1.3)
    strength = rng.uniform(0.4, 0.55)
    hues = ((0.55, 0.85, 1.3), (0.5, 0.9, 1.4), (0.65, 0.9, 1.2), (0.8, 0.9, 1.0), (0.7, 0.8, 1.35))
    leak_red = rng.uniform(0.9, 1.0)
    return Look(
        light=float(rng.uniform(0, 2 * np.pi)),
        size=size,
        underlayer=tinted((middle, pale, dark)[rng.choice(3, p=(0.4, 0.4, 0.2))], float(rng.uniform(0.2, 0.7)), 0.05),
        ground=tinted((middle, pale, dark)[rng.choice(3, p=(0.35, 0.4, 0.25))], float(rng.uniform(0.2, 0.7)), 0.05),
        stain=_rgb(*(1 - strength * np.array(hues[rng.integers(len(hues))]))),
        dirt=tinted(dark * np.float32(0.4), 0.15, 0.02),
        crack=_rgb(*(dark * rng.uniform(0.1, 0.5))),
        ink=ink,
        stamp=_rgb(*stamp),
        label=_rgb(*(np.array((0.93, 0.9, 0.82)) + rng.normal(0, 0.05, 3)) * rng.uniform(0.75, 1.0)),
        scorch=_rgb(0.09, 0.06, 0.04),
        hair=polar(0.4),
        scratch=polar(0.7),
        dust=polar(0.65),
        leak=_rgb(leak_red, leak_red * rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.15)),
        direction=float(rng.choice((0.0, np.pi / 2)) + rng.normal(0, 0.25)),
        flake=float(rng.uniform(9, 20) * size),
    )
