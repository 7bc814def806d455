"""Which classes are rare among the training pictures, fold by fold.

What a training tile takes from other pictures, counts as well as patches, comes from its own fold: no fold then knows anything of
another. In a holdout there is one fold, -1, and it holds the training pictures only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from patina.core.taxonomy import NUM_CLASSES
from patina.core.tiles import Split

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Place:
    """What the splits say of one picture.

    Attributes:
        group: what it belongs to.
        fold: -1 in a holdout.
        splits: which tiles it gives: `train`, `val` or both.
    """

    group: str
    fold: int
    splits: tuple[Split, ...]


@dataclass(frozen=True)
class Rarity:
    """The damage classes of one fold's training pictures.

    Attributes:
        order: ids that occur, from the fewest pixels to the most.
        rare: those of them whose share of the labelled pixels is below the setting.
    """

    order: tuple[int, ...] = ()
    rare: frozenset[int] = frozenset()


def rarities(index: "DataFrame", places: Mapping[str, Place], rare_below: float) -> dict[int, Rarity]:
    """The rarity of each fold.

    Args:
        index: of the raw artifact, as `patina.core.raw.read_index` gives it; `pixels` counts each class.
        places: by picture id.
        rare_below: a class is rare below this share of the labelled pixels, 0..1.
    """
    pixels: dict[int, NDArray[np.int64]] = {}
    for name, counts in zip(index["id"], index["pixels"], strict=True):
        place = places.get(name)
        if place is not None and "train" in place.splits:
            pixels[place.fold] = pixels.get(place.fold, np.zeros(NUM_CLASSES, np.int64)) + counts
    found: dict[int, Rarity] = {}
    for fold, counts in pixels.items():
        order = tuple(damage for damage in np.argsort(counts, kind="stable").tolist() if damage and counts[damage])
        found[fold] = Rarity(order, frozenset(damage for damage in order if counts[damage] < rare_below * counts.sum()))
    return found
