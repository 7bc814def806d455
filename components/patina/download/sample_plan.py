"""What each picture of the sample is: material, content, size and the damage that it carries.

The plan is drawn for the whole sample at once, so that a sample of 96 keeps ARTeFACT's joint table of materials and
contents and its order of damage by area. The decay over the classes is gentler than the original's, so that every class
occurs in every split.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

COMBINATIONS: tuple[tuple[str, str, int], ...] = (
    ("Paper", "Artistic depiction", 80),
    ("Paper", "Photographic depiction", 77),
    ("Paper", "Geometric patterns", 8),
    ("Paper", "Line art", 21),
    ("Parchment", "Artistic depiction", 40),
    ("Parchment", "Line art", 2),
    ("Glass", "Artistic depiction", 8),
    ("Glass", "Photographic depiction", 31),
    ("Film emulsion", "Photographic depiction", 22),
    ("Canvas", "Artistic depiction", 23),
    ("Lime plaster", "Artistic depiction", 23),
    ("Wood", "Artistic depiction", 26),
    ("Tesserae", "Artistic depiction", 27),
    ("Tesserae", "Geometric patterns", 3),
    ("Textile", "Artistic depiction", 4),
    ("Textile", "Geometric patterns", 12),
    ("Ceramic", "Artistic depiction", 1),
    ("Ceramic", "Geometric patterns", 9),
)
"""(material, content, number of pictures) of ARTeFACT."""


@dataclass(frozen=True)
class Occurrence:
    """How one kind of damage occurs.

    Attributes:
        pixels: share of the sample's pixels.
        pictures: share of the pictures that carry it.
        favours: materials on which it is three times as likely as elsewhere.
    """

    pixels: float
    pictures: float
    favours: tuple[str, ...]


_PAGES = ("Paper", "Parchment")
_PAINTED = ("Canvas", "Lime plaster", "Wood")
_EMULSIONS = ("Film emulsion", "Glass")

OCCURRENCES: dict[int, Occurrence] = {
    2: Occurrence(0.0520, 0.37, (*_PAINTED, "Glass")),
    1: Occurrence(0.0420, 0.37, ("Lime plaster", "Tesserae", "Ceramic", "Textile")),
    10: Occurrence(0.0270, 0.25, (*_PAGES, "Textile")),
    7: Occurrence(0.0190, 0.24, (*_PAGES, "Textile")),
    15: Occurrence(0.0145, 0.21, _EMULSIONS),
    9: Occurrence(0.0110, 0.25, (*_PAINTED, "Ceramic")),
    6: Occurrence(0.0080, 0.23, ("Tesserae", "Lime plaster", "Textile", "Ceramic")),
    4: Occurrence(0.0038, 0.14, _EMULSIONS),
    12: Occurrence(0.0026, 0.07, (*_PAGES, "Wood")),
    8: Occurrence(0.0017, 0.08, _PAGES),
    11: Occurrence(0.0011, 0.08, _PAGES),
    3: Occurrence(0.0007, 0.11, _EMULSIONS),
    13: Occurrence(0.0005, 0.08, (*_PAGES, "Canvas", "Wood")),
    5: Occurrence(0.0003, 0.09, _EMULSIONS),
    14: Occurrence(0.00015, 0.06, (*_PAGES, "Wood")),
}
"""By class id, from the most frequent kind to the rarest."""

UNDAMAGED = 0.08
"""Share of the pictures without damage."""
MOST_KINDS = 4
LARGEST_SHARE = 0.36
"""No kind covers more of one picture than this."""
LARGE_SIDE = 1600


@dataclass(frozen=True)
class PicturePlan:
    """One picture to be: its material and content, its size in pixels, and the pixels of damage by class id."""

    material: str
    content: str
    height: int
    width: int
    damage: dict[int, int]


def _combinations(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """`count` (material, content) pairs in ARTeFACT's proportions (largest remainders), in random order."""
    wanted = np.array([number for *_, number in COMBINATIONS], np.float64)
    wanted *= count / wanted.sum()
    numbers = np.floor(wanted).astype(int)
    numbers[np.argsort(-(wanted - numbers), kind="stable")[: count - numbers.sum()]] += 1
    which = rng.permutation(np.repeat(np.arange(len(COMBINATIONS)), numbers))
    return [COMBINATIONS[i][:2] for i in which]


def _sizes(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """(height, width) of every picture: long sides of 420 to 680 mostly, to 1000 sometimes, one of `LARGE_SIDE`."""
    longest = np.where(rng.random(count) < 0.88, rng.uniform(420, 680, count), rng.uniform(700, 1000, count)).astype(int)
    shortest = np.maximum((longest * rng.uniform(0.62, 0.95, count)).astype(int), 400)
    large = int(rng.integers(count))
    longest[large], shortest[large] = LARGE_SIDE, int(LARGE_SIDE * rng.uniform(0.7, 0.8))
    upright = rng.random(count) < 0.5
    return [(int(a), int(b)) if up else (int(b), int(a)) for a, b, up in zip(longest, shortest, upright, strict=True)]


def _kinds(rng: np.random.Generator, materials: list[str]) -> list[set[int]]:
    """The kinds of damage of every picture: each kind on its share of the pictures, mostly 2 to 4 on one picture."""
    count = len(materials)
    undamaged = rng.permutation(count) < round(UNDAMAGED * count)
    total = sum(round(kind.pictures * count) for kind in OCCURRENCES.values())
    room = np.where(undamaged, 0, np.clip(np.round(rng.uniform(1.6, MOST_KINDS + 0.4, count)), 2, MOST_KINDS))
    damaged = np.flatnonzero(~undamaged)
    for _ in range(20 * count):
        gap = total - int(room.sum())
        picture = rng.choice(damaged)
        if gap == 0:
            break
        room[picture] = np.clip(room[picture] + np.sign(gap), 1, MOST_KINDS)
    kinds: list[set[int]] = [set() for _ in range(count)]
    for kind, occurrence in OCCURRENCES.items():
        liking = np.array([3.0 if material in occurrence.favours else 1.0 for material in materials])
        keys = np.where(room > 0, np.log(liking * np.maximum(room, 1) ** 1.5) + rng.gumbel(size=count), -np.inf)
        for picture in np.argsort(-keys)[: round(occurrence.pictures * count)]:
            if room[picture] > 0:
                kinds[picture].add(kind)
                room[picture] -= 1
    return kinds


@lru_cache(maxsize=4)
def plan_sample(count: int, seed: int) -> tuple[PicturePlan, ...]:
    """The plan of a sample of `count` pictures; the same for the same arguments.

    The damaged area of each kind is its share of the whole sample's pixels, spread unevenly over the pictures that have it.
    """
    rng = np.random.default_rng((seed, 0, count))
    combinations = _combinations(rng, count)
    sizes = _sizes(rng, count)
    kinds = _kinds(rng, [material for material, _ in combinations])
    areas = np.array([height * width for height, width in sizes], np.float64)
    damage: list[dict[int, int]] = [{} for _ in range(count)]
    for kind, occurrence in OCCURRENCES.items():
        carriers = [picture for picture in range(count) if kind in kinds[picture]]
        if not carriers:
            continue
        # Area to the power 0.7: on a large picture damage covers less of it, else that one picture would rule the sample.
        weights = areas[carriers] ** 0.7 * rng.lognormal(0, 0.45, len(carriers))
        pixels = occurrence.pixels * areas.sum() * weights / weights.sum()
        for picture, wanted in zip(carriers, pixels, strict=True):
            damage[picture][kind] = int(np.clip(wanted, 12, LARGEST_SHARE * areas[picture]))
    return tuple(
        PicturePlan(material, content, height, width, own)
        for (material, content), (height, width), own in zip(combinations, sizes, damage, strict=True)
    )
