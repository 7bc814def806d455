"""One picture's share of the tile set: decoded, scaled, cut and copied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patina.augment import levels
from patina.augment.scaling import scale_mask
from patina.augment.settings import AugmentSettings
from patina.augment.windows import Window, cut, training_windows, valid_share, validation_windows
from patina.core.errors import DataRefused
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import RawRow
from patina.core.tiles import Geometry, Level, Split, TileRecord

Cut = tuple[NDArray[np.uint8], NDArray[np.uint8], TileRecord]
"""(image uint8 RGB [T, T, 3], mask uint8 [T, T], where it came from)."""


@dataclass(frozen=True)
class Place:
    """What the splits say of one picture."""

    group: str
    split: Split
    fold: int


def cut_picture(row: RawRow, place: Place, *, geometry: Geometry, settings: AugmentSettings, rarity: Sequence[int], seed: int) -> list[Cut]:
    """All tiles of one picture: its windows as they are, then, for training only, their changed copies level by level.

    The result depends on the arguments alone, so that pictures may be worked on in any order.

    Raises:
        DataRefused: picture and mask cannot be read or differ in size.
    """
    picture, mask = decode_picture(row.image), decode_mask(row.annotation)
    if picture.shape[:2] != mask.shape:
        raise DataRefused(
            f"picture {row.id} has {picture.shape[1]} x {picture.shape[0]} px, its mask {mask.shape[1]} x {mask.shape[0]}: "
            "expected the same size. Correct the annotation and run download again."
        )
    native = mask.shape
    picture, mask = geometry.scaled(picture), scale_mask(mask, geometry)
    scale = float(np.sqrt(mask.size / (native[0] * native[1])))
    tile_size = geometry.tile_size
    originals: list[Cut] = []
    for window in _windows(mask, place.split, tile_size, settings, rarity, levels.generator(seed, row.id, "original", 0)):
        image, labels, (width, height) = cut(picture, mask, window, tile_size)
        record = TileRecord(
            source=row.id,
            group=place.group,
            split=place.split,
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
    if place.split != "train":
        return originals
    copies: tuple[tuple[Level, int], ...] = (
        ("light", settings.copies.light),
        ("medium", settings.copies.medium),
        ("heavy", settings.copies.heavy),
    )
    changed: list[Cut] = []
    for level, count in copies:
        for copy in range(count):
            changed += _copies(originals, level, levels.generator(seed, row.id, level, copy))
    return originals + changed


def _windows(
    mask: NDArray[np.uint8], split: Split, tile_size: int, settings: AugmentSettings, rarity: Sequence[int], rng: np.random.Generator
) -> list[Window]:
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
            rarity=rarity,
            rng=rng,
        )
    return validation_windows(mask, tile_size, budget=settings.validation_windows_per_picture, min_valid_share=settings.min_valid_share)


def _copies(originals: Sequence[Cut], level: Level, rng: np.random.Generator) -> list[Cut]:
    tiles: list[Cut] = []
    for image, mask, record in originals:
        transforms = levels.draw(level, rng)
        tiles.append((*levels.apply_all(image, mask, transforms), replace(record, level=level, transforms=transforms)))
    return tiles


def _counted(window: Window) -> list[dict[str, Any]]:
    """The provenance of a validation window that overlaps its neighbours."""
    if not (window.counted_left or window.counted_top):
        return []
    return [{"name": "counted_elsewhere", "left": window.counted_left, "top": window.counted_top}]
