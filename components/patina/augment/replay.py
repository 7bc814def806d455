"""A tile made again from the raw artifact and its row in the table alone: the proof that its provenance is complete."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from patina.augment import levels
from patina.augment.donors import PASTE, PatchPlace, paste_all, patch_at
from patina.augment.pictures import COUNTED_ELSEWHERE
from patina.augment.scaling import decode_scaled
from patina.augment.shape import Tile
from patina.augment.windows import Window, cut
from patina.core.errors import DataRefused
from patina.core.raw import iter_rows
from patina.core.tiles import Geometry


def replay(raw: Path | str, row: Mapping[str, Any], geometry: Geometry) -> Tile:
    """The tile of `row`: image uint8 RGB [T, T, 3] and mask uint8 [T, T], the bytes that the augment stage wrote.

    Args:
        raw: folder of the `raw` artifact that the tiles were made from.
        row: the tile's line of `tiles.parquet`, by column.
        geometry: of the tile set.

    Raises:
        DataRefused: `raw` lacks the tile's picture or a donor or holds another in its place, or the row names a transform that
            this version does not know.
    """
    transforms: list[dict[str, Any]] = json.loads(row["transforms"])
    scaled = {picture.id: decode_scaled(picture, geometry)[:2] for picture in iter_rows(raw, {row["source"], *json.loads(row["donors"])})}
    height, width = scaled[row["source"]][1].shape
    if not (0 <= row["x"] <= width - row["width"] and 0 <= row["y"] <= height - row["height"]):
        raise DataRefused(
            f"tile {row['tile']} of {row['source']} lies outside its picture of {width} x {height} px. "
            "Use the raw artifact that the tiles were made from."
        )
    first = transforms.pop(0) if transforms and transforms[0]["name"] == COUNTED_ELSEWHERE else {"left": 0, "top": 0}
    window = Window(row["x"], row["y"], counted_left=first["left"], counted_top=first["top"])
    image, mask, _ = cut(*scaled[row["source"]], window, geometry.tile_size)
    try:
        pastes = [(patch_at(*scaled[change["source"]], _place(change)), change) for change in transforms if change["name"] == PASTE]
        image, mask = paste_all(image, mask, pastes)
        return levels.apply_all(image, mask, [change for change in transforms if change["name"] != PASTE])
    except (KeyError, TypeError) as error:
        raise DataRefused(
            f"tile {row['tile']} of {row['source']}: its transforms cannot be applied ({error!r}). Replay it with the version that made it."
        ) from error


def _place(transform: Mapping[str, Any]) -> PatchPlace:
    return PatchPlace(**{field.name: transform[field.name] for field in fields(PatchPlace)})
