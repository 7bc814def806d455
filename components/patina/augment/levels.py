"""The three strengths of augmentation: what is drawn at random, and how it is applied.

Drawing and applying are apart: a drawn transform is plain JSON, stands in the tile's provenance, and gives the same tile
when it is applied again to the same window (`apply_all`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patina.augment import appearance, shape
from patina.augment.shape import Tile
from patina.core.tiles import Level

Transform = dict[str, Any]
"""`name` and the parameters of the function of that name in `shape` or `appearance`; JSON values."""

_SHAPE = {"orient": shape.orient, "turn": shape.turn, "elastic": shape.elastic, "grid": shape.grid}
_APPEARANCE = {
    "tone": appearance.tone,
    "colour": appearance.colour,
    "blur": appearance.blur,
    "noise": appearance.noise,
    "yellowing": appearance.yellowing,
    "fading": appearance.fading,
    "vignette": appearance.vignette,
    "uneven_light": appearance.uneven_light,
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
            return [_orient(rng), *_distortion(rng, chance=0.5), *_ageing(rng)]


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
        if name in _SHAPE:
            image, mask = _SHAPE[name](image, mask, **parameters)
        else:
            image = _APPEARANCE[name](image, **parameters)
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
    """With `chance`, one of rotation, elastic and grid distortion."""
    if rng.random() >= chance:
        return []
    match int(rng.integers(3)):
        case 0:
            return [{"name": "turn", "degrees": _between(rng, -12, 12), "scale": _between(rng, 0.85, 1.25)}]
        case 1:
            return [{"name": "elastic", "seed": _seed(rng), "cells": int(rng.integers(3, 7)), "strength": _between(rng, 0.01, 0.025)}]
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
        drawn.append({"name": "blur", "sigma": _between(rng, 0.4, 1.2)})
    if rng.random() < 0.5:
        drawn.append({"name": "noise", "seed": _seed(rng), "sigma": _between(rng, 2, 9), "grain": 1.0})
    return drawn


def _ageing(rng: np.random.Generator) -> list[Transform]:
    """Three or four of seven: first what happens to the object, then to the light, the camera, the file."""
    candidates: list[Transform] = [
        {"name": "yellowing", "strength": _between(rng, 0.3, 1.0)},
        {"name": "fading", "strength": _between(rng, 0.15, 0.5), "level": _between(rng, 140, 225)},
        {"name": "uneven_light", "strength": _between(rng, 0.15, 0.5), "degrees": _between(rng, 0, 360)},
        {"name": "vignette", "strength": _between(rng, 0.3, 0.8), "x": _between(rng, 0.3, 0.7), "y": _between(rng, 0.3, 0.7)},
        {"name": "noise", "seed": _seed(rng), "sigma": _between(rng, 8, 20), "grain": _between(rng, 1, 2.5)},
        {"name": "low_resolution", "factor": _between(rng, 1.3, 2.2)},
        {"name": "jpeg", "quality": int(rng.integers(12, 45))},
    ]
    chosen = rng.choice(len(candidates), int(rng.integers(3, 5)), replace=False)
    return [candidates[i] for i in sorted(chosen.tolist())]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    # Rounded before use, so that the short number in the provenance is the number that was applied.
    return round(float(rng.uniform(low, high)), 4)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
