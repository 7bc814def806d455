"""One picture's share of the tile set: decoded, scaled, cut and copied."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patina.augment import levels
from patina.augment.chance import stream
from patina.augment.donors import Pool, draw_pastes, paste_all
from patina.augment.rarity import Place, Rarity
from patina.augment.scaling import decode_scaled
from patina.augment.settings import AugmentSettings
from patina.augment.windows import Window, cut, training_windows, valid_share, validation_windows
from patina.core.raw import RawRow
from patina.core.tiles import Geometry, Level, Split, TileRecord

Cut = tuple[NDArray[np.uint8], NDArray[np.uint8], TileRecord]
"""(image uint8 RGB [T, T, 3], mask uint8 [T, T], where it came from)."""
COUNTED_ELSEWHERE = "counted_elsewhere"
"""Name in the provenance of the columns and rows of a validation tile that another tile counts."""


@dataclass(frozen=True)
class Surroundings:
    """What is the same for every picture.

    Attributes:
        geometry: of the tiles.
        settings: of the stage.
        rarities: by fold, from its training pictures.
        pool: what may be pasted.
        seed: of the stage.
    """

    geometry: Geometry
    settings: AugmentSettings
    rarities: dict[int, Rarity]
    pool: Pool
    seed: int


def cut_picture(row: RawRow, place: Place, around: Surroundings) -> list[Cut]:
    """All tiles of one picture: for training its windows as they are and their changed copies level by level, then for validation.

    The result depends on the arguments alone, so that pictures may be worked on in any order.

    Raises:
        DataRefused: picture and mask cannot be read or differ in size.
    """
    picture, mask, scale = decode_scaled(row, around.geometry)
    tiles: list[Cut] = []
    for split in place.splits:
        originals: list[Cut] = []
        for window in _windows(mask, split, row.id, place.fold, around):
            image, labels, (width, height) = cut(picture, mask, window, around.geometry.tile_size)
            record = TileRecord(
                source=row.id,
                group=place.group,
                split=split,
                fold=place.fold,
                level="original",
                x=window.x,
                y=window.y,
                width=width,
                height=height,
                scale=scale,
                transforms=_counted(window),
            )
            originals.append((image, labels, record))
        tiles += originals
        if split == "train":
            tiles += _all_copies(originals, around)
    return tiles


def _windows(mask: NDArray[np.uint8], split: Split, source: str, fold: int, around: Surroundings) -> list[Window]:
    settings, tile_size = around.settings, around.geometry.tile_size
    if settings.geometry == "squash":
        whole = Window(0, 0)
        return [whole] if valid_share(mask, whole, tile_size) >= settings.min_valid_share else []
    if split == "train":
        return training_windows(
            mask,
            tile_size,
            budget=settings.windows_per_picture,
            overlap=settings.overlap,
            min_valid_share=settings.min_valid_share,
            damage_share=settings.damage_share,
            rarity=around.rarities[fold].order,
            rng=levels.generator(around.seed, source, "original", 0),
        )
    return validation_windows(mask, tile_size, budget=settings.validation_windows_per_picture, min_valid_share=settings.min_valid_share)


def _all_copies(originals: Sequence[Cut], around: Surroundings) -> list[Cut]:
    copies = around.settings.copies
    wished: tuple[tuple[Level, float], ...] = (("light", copies.light), ("medium", copies.medium), ("heavy", copies.heavy))
    tiles: list[Cut] = []
    for level, number in wished:
        counts = [_count(original, level, number, around) for original in originals]
        for copy in range(max(counts, default=0)):
            tiles += _copies(originals, [count > copy for count in counts], level, copy, around)
    return tiles


def _count(original: Cut, level: Level, number: float, around: Surroundings) -> int:
    """How many copies of `level` one tile gets: `number`, more of a tile with a rare class, its fraction as a chance."""
    _, mask, record = original
    rare = around.rarities[record.fold].rare
    if around.settings.rare_class_factor > 1 and np.isin(mask, list(rare)).any():
        number *= around.settings.rare_class_factor
    whole = math.floor(number)
    if whole == number:
        return whole
    chance = stream(around.seed, "copies", record.source, level, record.x, record.y).random()
    return whole + int(chance < number - whole)


def _copies(originals: Sequence[Cut], chosen: Sequence[bool], level: Level, copy: int, around: Surroundings) -> list[Cut]:
    """Copy number `copy` of the `chosen` ones of a picture's `originals`."""
    paste = around.settings.paste
    tiles: list[Cut] = []
    if not originals:
        return tiles
    rng = levels.generator(around.seed, originals[0][2].source, level, copy)
    for (image, mask, record), wanted in zip(originals, chosen, strict=True):
        transforms = levels.draw(level, rng)  # drawn for the others too, so that they decide nothing about the next tile
        if not wanted:
            continue
        pasted = []
        if around.settings.pastes and level in paste.levels:
            chance = stream(around.seed, "paste", record.source, level, copy, record.x, record.y)
            pasted = draw_pastes(around.pool, mask, record.source, record.fold, paste, chance)
        named = replace(
            record,
            level=level,
            transforms=[*(transform for _, transform in pasted), *transforms],
            donors=sorted({patch.place.source for patch, _ in pasted}),
        )
        tiles.append((*levels.apply_all(*paste_all(image, mask, pasted), transforms), named))
    return tiles


def _counted(window: Window) -> list[dict[str, Any]]:
    """The provenance of a validation window that overlaps its neighbours."""
    if not (window.counted_left or window.counted_top):
        return []
    return [{"name": COUNTED_ELSEWHERE, "left": window.counted_left, "top": window.counted_top}]
