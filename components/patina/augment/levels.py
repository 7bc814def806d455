"""The three strengths of augmentation: what is drawn at random, and how it is applied.

Drawing and applying are apart: a drawn transform is plain JSON, stands in the tile's provenance, and gives the same tile
when it is applied again to the same window (`apply_all`).

Thin damage sets the limits of what blurs or overlays a tile: a mask must not name a hair that nobody can see any more. On tiles
of the sample and of real pictures the strongest blur, reduction, JPEG and fading leave dust, scratches and hair at least 0.6,
0.6, 0.8 and 0.5 of their contrast (medians per class).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patina.augment import appearance, drawn_damage, shape
from patina.augment.shape import Tile
from patina.core.tiles import Level

Transform = dict[str, Any]
"""`name` and the parameters of the function of that name in `shape`, `drawn_damage` or `appearance`; JSON values."""

_TILE = {
    "orient": shape.orient,
    "turn": shape.turn,
    "elastic": shape.elastic,
    "grid": shape.grid,
    "optical": shape.optical,
    "foxing": drawn_damage.foxing,
    "dust": drawn_damage.dust,
    "hair": drawn_damage.hair,
    "scratch": drawn_damage.scratch,
}
_IMAGE = {
    "tone": appearance.tone,
    "colour": appearance.colour,
    "blur": appearance.blur,
    "noise": appearance.noise,
    "yellowing": appearance.yellowing,
    "fading": appearance.fading,
    "vignette": appearance.vignette,
    "uneven_light": appearance.uneven_light,
    "scanner_bands": appearance.scanner_bands,
    "low_resolution": appearance.low_resolution,
    "jpeg": appearance.jpeg,
}
_STRENGTH: dict[Level, int] = {"original": 0, "light": 1, "medium": 2, "heavy": 3}


def generator(seed: int, source: str, level: Level, copy: int) -> np.random.Generator:
    """Where all chance of one copy of a picture comes from: depends on nothing but these four."""
    identity = np.frombuffer(hashlib.sha256(source.encode()).digest(), np.uint32).tolist()
    return np.random.default_rng([seed, _STRENGTH[level], copy, *identity])


def draw(level: Level, rng: np.random.Generator) -> list[Transform]:
    """The transforms of one copy, in the order in which they are applied; none for `original`."""
    match level:
        case "original":
            return []
        case "light":
            return [_orient(rng), _tone(rng, gamma=0.0)]
        case "medium":
            return [_orient(rng), *_distortion(rng, chance=0.7), _tone(rng, gamma=0.2), *_colour_and_grain(rng)]
        case "heavy":
            return [_orient(rng), *_distortion(rng, chance=0.5), *_ageing(rng), *_deposits(rng, chance=0.6), *_capture(rng)]


def apply_all(image: NDArray[np.uint8], mask: NDArray[np.uint8], transforms: Iterable[Mapping[str, Any]]) -> Tile:
    """The tile after `transforms`.

    Args:
        image: uint8 RGB [S, S, 3].
        mask: uint8 [S, S], class ids and 255.
        transforms: as drawn by `draw`, or as read back from the provenance.

    Raises:
        KeyError: a name that is no transform.
    """
    for transform in transforms:
        name = transform["name"]
        parameters = {key: value for key, value in transform.items() if key != "name"}
        if name in _TILE:
            image, mask = _TILE[name](image, mask, **parameters)
        else:
            image = _IMAGE[name](image, **parameters)
    return image, mask


def _orient(rng: np.random.Generator) -> Transform:
    return {"name": "orient", "turns": int(rng.integers(4)), "mirror": bool(rng.integers(2))}


def _tone(rng: np.random.Generator, gamma: float) -> Transform:
    return {
        "name": "tone",
        "gain": _between(rng, 0.8, 1.2),
        "offset": _between(rng, -25, 25),
        "gamma": _between(rng, 1 - gamma, 1 + gamma),
    }


def _distortion(rng: np.random.Generator, chance: float) -> list[Transform]:
    """With `chance`, one of rotation, elastic, grid and optical distortion."""
    if rng.random() >= chance:
        return []
    match int(rng.integers(4)):
        case 0:
            return [{"name": "turn", "degrees": _between(rng, -12, 12), "scale": _between(rng, 0.85, 1.25)}]
        case 1:
            return [{"name": "elastic", "seed": _seed(rng), "cells": int(rng.integers(3, 7)), "strength": _between(rng, 0.01, 0.025)}]
        case 2:
            return [{"name": "optical", "bend": _between(rng, -0.15, 0.15)}]
        case _:
            columns, rows = ([_between(rng, 0.75, 1.25) for _ in range(5)] for _ in range(2))
            return [{"name": "grid", "columns": columns, "rows": rows}]


def _colour_and_grain(rng: np.random.Generator) -> list[Transform]:
    drawn: list[Transform] = []
    if rng.random() < 0.8:
        drawn.append(
            {"name": "colour", "hue": _between(rng, -10, 10), "saturation": _between(rng, 0.6, 1.4), "warmth": _between(rng, -0.08, 0.08)}
        )
    if rng.random() < 0.3:
        drawn.append({"name": "blur", "sigma": _between(rng, 0.3, 0.9)})
    if rng.random() < 0.5:
        drawn.append({"name": "noise", "seed": _seed(rng), "sigma": _between(rng, 2, 9), "grain": 1.0})
    return drawn


def _ageing(rng: np.random.Generator) -> list[Transform]:
    """One or two of what happens to the object."""
    return _some(
        rng,
        int(rng.integers(1, 3)),
        [
            {"name": "yellowing", "strength": _between(rng, 0.3, 1.0)},
            {"name": "fading", "strength": _between(rng, 0.15, 0.45), "level": _between(rng, 140, 225)},
            {"name": "foxing", "seed": _seed(rng), "share": _between(rng, 0.002, 0.02)},
        ],
    )


def _deposits(rng: np.random.Generator, chance: float) -> list[Transform]:
    """With `chance`, one of what comes to lie on the object or runs across it."""
    if rng.random() >= chance:
        return []
    return _some(
        rng,
        1,
        [
            {"name": "scratch", "seed": _seed(rng), "share": _between(rng, 0.001, 0.008)},
            {"name": "dust", "seed": _seed(rng), "share": _between(rng, 0.0005, 0.004)},
            {"name": "hair", "seed": _seed(rng), "share": _between(rng, 0.001, 0.006)},
        ],
    )


def _capture(rng: np.random.Generator) -> list[Transform]:
    """One or two of what light, camera, scanner and file do, in this order."""
    return _some(
        rng,
        int(rng.integers(1, 3)),
        [
            {"name": "uneven_light", "strength": _between(rng, 0.15, 0.5), "degrees": _between(rng, 0, 360)},
            {"name": "vignette", "strength": _between(rng, 0.3, 0.65), "x": _between(rng, 0.3, 0.7), "y": _between(rng, 0.3, 0.7)},
            {"name": "noise", "seed": _seed(rng), "sigma": _between(rng, 6, 16), "grain": _between(rng, 1, 2.5)},
            {
                "name": "scanner_bands",
                "seed": _seed(rng),
                "upright": bool(rng.integers(2)),
                "period": _between(rng, 5, 40),
                "strength": _between(rng, 0.02, 0.06),
            },
            {"name": "low_resolution", "factor": _between(rng, 1.2, 1.6)},
            {"name": "jpeg", "quality": int(rng.integers(15, 45))},
        ],
    )


def _some(rng: np.random.Generator, count: int, candidates: list[Transform]) -> list[Transform]:
    """`count` of `candidates` in their order."""
    return [candidates[i] for i in sorted(rng.choice(len(candidates), count, replace=False).tolist())]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    # Rounded before use, so that the short number in the provenance is the number that was applied.
    return round(float(rng.uniform(low, high)), 4)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
