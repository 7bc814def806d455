"""Settings of the augment stage."""

from typing import Literal, Self

from pydantic import Field, model_validator

from patina.core.config import Config
from patina.core.tiles import Geometry


class Copies(Config):
    """How many changed copies each training tile gets, by strength."""

    light: int = Field(default=1, ge=0, le=16)
    """Orientation, brightness and contrast only."""
    medium: int = Field(default=1, ge=0, le=16)
    """Distortion, colour, blur and noise on top of `light`."""
    heavy: int = Field(default=0, ge=0, le=16)
    """Ageing, uneven light and poor capture on top of a distortion."""


class AugmentSettings(Config):
    """How pictures become tiles."""

    geometry: Literal["native", "squash"] = "native"
    """`native` cuts windows; `squash` resizes the whole picture to one tile, as the predecessor did (for comparison only:
    it deletes thin damage)."""
    max_side: int | None = Field(default=None, ge=32)
    """Pictures are first reduced until their longer side has this many pixels; null keeps native resolution."""
    overlap: float = Field(default=0.25, ge=0, le=0.9)
    """Least overlap of neighbouring training windows, as a share of the tile. Validation windows never overlap."""
    min_valid_share: float = Field(default=0.25, ge=0, le=1)
    """Windows with a smaller share of labelled pixels (not 255) are skipped; padding counts as unlabelled. A picture without
    any other window gives its best-labelled one."""
    windows_per_picture: int = Field(default=24, ge=1, le=10_000)
    """Most training windows of one picture; the copies come on top."""
    validation_windows_per_picture: int = Field(default=24, ge=1, le=10_000)
    """Most validation windows of one picture."""
    damage_share: float = Field(default=0.5, ge=0, le=1)
    """Share of a picture's training windows that are centred on damage, its rarest classes first; the others are spread evenly."""
    copies: Copies = Copies()
    """Changed copies of each training tile."""
    workers: int | None = Field(default=None, ge=1, le=64)
    """Pictures worked on at once; null: one per CPU, at most 8. Changes no result, only time and memory (the decoded pictures)."""

    @model_validator(mode="after")
    def _squash_has_no_max_side(self) -> Self:
        if self.geometry == "squash" and self.max_side is not None:
            raise ValueError("max_side has no meaning with geometry 'squash'; set it to null")
        return self

    def tile_geometry(self, tile_size: int) -> Geometry:
        """The geometry that models will be told, for tiles of `tile_size` pixels."""
        if self.geometry == "squash":
            return Geometry(tile_size=tile_size, scale_rule="squash")
        if self.max_side is None:
            return Geometry(tile_size=tile_size, scale_rule="native")
        return Geometry(tile_size=tile_size, scale_rule="max_side", max_side=self.max_side)
