"""From a class id to its drawing, and the order in which several kinds of damage come upon one object."""

from collections.abc import Mapping

import numpy as np

from patina.core.taxonomy import CLASSES
from patina.damage import additions, deposits, layers, lines
from patina.damage.fields import Mask, Picture
from patina.damage.look import Look

ORDER: tuple[int, ...] = (10, 15, 7, 9, 6, 2, 1, 14, 13, 11, 8, 12, 4, 3, 5)
"""Ids from the damage that lies deepest to the one on top: later ones cover earlier ones, in picture and mask."""


def draw(kind: int, rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: int) -> None:  # noqa: PLR0912 one case per class
    """Draws about `pixels` pixels of the damage with class id `kind` into `picture` and `mask`, in place.

    Args:
        kind: class id 1..15.
        rng: where all chance comes from.
        picture: float32 RGB [H, W, 3] in 0..1.
        mask: uint8 [H, W] of class ids; pixels of 255 are left alone in both.
        look: how damage looks in this picture, see `draw_look`.
        pixels: number of pixels that the damage should cover.

    Raises:
        ValueError: `kind` names no damage.
    """
    match kind:
        case 1:
            drawing = layers.material_loss
        case 2:
            drawing = layers.peel
        case 3:
            drawing = deposits.dust
        case 4:
            drawing = lines.scratch
        case 5:
            drawing = lines.hair
        case 6:
            drawing = deposits.dirt
        case 7:
            drawing = lines.fold
        case 8:
            drawing = additions.writing
        case 9:
            drawing = lines.cracks
        case 10:
            drawing = deposits.staining
        case 11:
            drawing = additions.stamp
        case 12:
            drawing = additions.sticker
        case 13:
            drawing = layers.puncture
        case 14:
            drawing = layers.burn_marks
        case 15:
            drawing = deposits.lightleak
        case _:
            raise ValueError(f"no drawing for class {kind}: expected an id from 1 to {CLASSES[-1].id}")
    drawing(rng, picture, mask, look, pixels)


def draw_all(rng: np.random.Generator, picture: Picture, mask: Mask, look: Look, pixels: Mapping[int, int]) -> None:
    """Draws every damage of `pixels` (class id to number of pixels) in `ORDER`, in place; arguments as for `draw`."""
    for kind in ORDER:
        if pixels.get(kind, 0) > 0:
            draw(kind, rng, picture, mask, look, pixels[kind])
