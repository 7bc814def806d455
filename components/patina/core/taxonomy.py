"""The 16 damage classes of ARTeFACT, the ignore index, and views that merge classes.

Names, ids and colours are those of the data set `danielaivanova/damaged-media` (Ivanova et al., WACV 2025,
arXiv 2412.04580). An older list of class names circulates (Structural defects, Discolouration, ...); it is not the data's.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
"""Mask value of pixels that never count: ARTeFACT's Background and every pixel without a label."""


@dataclass(frozen=True)
class DamageClass:
    """One class: `id` 0..15, its `name`, and its `color` as (red, green, blue) 0..255."""

    id: int
    name: str
    color: tuple[int, int, int]


def _damage_class(index: int, name: str, color: str) -> DamageClass:
    red, green, blue = bytes.fromhex(color)
    return DamageClass(index, name, (red, green, blue))


CLASSES: tuple[DamageClass, ...] = (
    _damage_class(0, "Clean", "000000"),
    _damage_class(1, "Material loss", "1CE6FF"),
    _damage_class(2, "Peel", "FF34FF"),
    _damage_class(3, "Dust", "FF4A46"),
    _damage_class(4, "Scratch", "008941"),
    _damage_class(5, "Hair", "006FA6"),
    _damage_class(6, "Dirt", "A30059"),
    _damage_class(7, "Fold", "FFA500"),
    _damage_class(8, "Writing", "7A4900"),
    _damage_class(9, "Cracks", "0000A6"),
    _damage_class(10, "Staining", "63FFAC"),
    _damage_class(11, "Stamp", "004D43"),
    _damage_class(12, "Sticker", "8FB0FF"),
    _damage_class(13, "Puncture", "997D87"),
    _damage_class(14, "Burn marks", "809693"),
    _damage_class(15, "Lightleak", "F6FF1B"),
)
NUM_CLASSES = len(CLASSES)
CLASS_NAMES: tuple[str, ...] = tuple(c.name for c in CLASSES)
BACKGROUND = DamageClass(IGNORE, "Background", (0x5A, 0x00, 0x07))

MATERIALS: tuple[str, ...] = (
    "Paper",
    "Parchment",
    "Glass",
    "Tesserae",
    "Wood",
    "Canvas",
    "Lime plaster",
    "Film emulsion",
    "Textile",
    "Ceramic",
)
CONTENTS: tuple[str, ...] = ("Artistic depiction", "Photographic depiction", "Geometric patterns", "Line art")

ViewName = Literal["full", "binary", "coarse"]


@dataclass(frozen=True, eq=False)
class View:
    """A checked total map from the ids of the data to the ids that a head speaks.

    Attributes:
        name: `full`, `binary` or `coarse`.
        classes: names of the view's ids, in order.
        lookup: uint8 [256]; `lookup[mask]` turns a mask of the data into one of the view. Every id 0..15 and 255 has
            an image; the values 16..254 cannot occur in a checked mask and map to 255.
    """

    name: ViewName
    classes: tuple[str, ...]
    lookup: NDArray[np.uint8]

    def __post_init__(self) -> None:
        used = set(self.lookup[:NUM_CLASSES].tolist()) - {IGNORE}
        if self.lookup.shape != (256,) or self.lookup.dtype != np.uint8 or used != set(range(len(self.classes))):
            raise ValueError(f"view {self.name}: ids {sorted(used)} do not cover the classes {self.classes} one to one")
        if self.lookup[IGNORE] != IGNORE:
            raise ValueError(f"view {self.name}: 255 must stay 255, not {self.lookup[IGNORE]}")


COARSE_GROUPS: dict[str, tuple[int, ...]] = {
    "Structural": (1, 2, 7, 9, 13),
    "Surface contamination": (3, 5, 6, 8, 11, 12),
    "Colour": (10, 14),
    "Optical": (4, 15),
}
"""Damage by cause. Clean belongs to no group: in the coarse view it is 255, the binary view decides it."""


def view(name: ViewName) -> View:
    """The view called `name`."""
    lookup = np.full(256, IGNORE, np.uint8)
    match name:
        case "full":
            lookup[:NUM_CLASSES] = np.arange(NUM_CLASSES)
            return View(name, CLASS_NAMES, lookup)
        case "binary":
            lookup[:NUM_CLASSES] = 1
            lookup[0] = 0
            return View(name, ("Clean", "Damage"), lookup)
        case "coarse":
            for group, ids in enumerate(COARSE_GROUPS.values()):
                lookup[list(ids)] = group
            return View(name, tuple(COARSE_GROUPS), lookup)


def palette() -> NDArray[np.uint8]:
    """Colours as uint8 [256, 3]; row i is the colour of id i, row 255 Background's, unused rows are black."""
    colors = np.zeros((256, 3), np.uint8)
    for damage in (*CLASSES, BACKGROUND):
        colors[damage.id] = damage.color
    return colors
