"""Settings of the augment stage."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from patina.core.config import Config
from patina.core.tiles import Geometry


class Copies(Config):
    """How many changed copies each training tile gets, by strength.

    The part behind the point is a chance: with 0.5, half of the tiles, drawn from the seed, get one copy more.
    """

    light: float = Field(default=1, ge=0, le=16)
    """Copies per tile with another orientation, brightness and contrast only. One doubles the data at almost no cost."""
    medium: float = Field(default=1, ge=0, le=16)
    """Copies per tile with distortion, colour, blur and noise on top of `light`. One, so that every tile is seen distorted once."""
    heavy: float = Field(default=0, ge=0, le=16)
    """Copies per tile with ageing, drawn damage and poor capture on top of a distortion. None: what they gain is to be measured first."""


PREDECESSOR_COPIES: Final = Copies(light=1, medium=1, heavy=0.49)
"""3.49 tiles per picture: with `geometry="squash"`, 418 pictures become about 1,459 tiles, as many as the predecessor had (1,458)."""


class Paste(Config):
    """Rare damage of one training picture pasted into changed copies of another of the same fold."""

    levels: tuple[Literal["light", "medium", "heavy"], ...] = ("heavy",)
    """Levels whose copies may receive patches. Heavy only: the other levels promise what they change."""
    probability: float = Field(default=0.5, ge=0, le=1)
    """Share of the copies of these levels that receive patches; 0 turns pasting off. Half, so that rare damage is also seen in place."""
    most: int = Field(default=2, ge=1, le=16)
    """Most patches in one tile; one up to this number is drawn, evenly. More than a few would cover the tile's own content."""
    feather: int = Field(default=3, ge=0, le=16)
    """Width in pixels of the rim in which a patch fades into the tile. Three hide the seam and stay below the gap between specks."""
    largest: float = Field(default=0.33, gt=0, le=1)
    """Longest side of a patch, as a share of the tile: larger damage is seldom rare, and patches are held in memory."""
    smallest: int = Field(default=8, ge=1)
    """Fewest pixels of a patch: smaller ones are often labelling noise."""
    per_class: int = Field(default=32, ge=1, le=1024)
    """Patches held per class and fold, drawn from as many pictures. 32 patches of 128 x 128 px take 2 MB."""


class AugmentSettings(Config):
    """How pictures become tiles."""

    geometry: Literal["native", "squash"] = "native"
    """`native` cuts windows; `squash` resizes the whole picture to one tile, as the predecessor did (for comparison only:
    it deletes thin damage)."""
    max_side: int | None = Field(default=None, ge=32)
    """Pictures are first reduced until their longer side has this many pixels; null keeps native resolution."""
    folds: Literal["split", "all"] = "split"
    """`split`: training and validation pictures as the splits say, for one training. `all`: one tile set for every fold of a
    cross-validation; each picture gives training and validation tiles, and a trainer picks by fold."""
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
    rare_below: float = Field(default=0.001, ge=0, le=1)
    """A class is rare if it has a smaller share of the labelled pixels of a fold's training pictures. At 0.001, six of ARTeFACT's
    classes: Dust, Hair, Writing, Stamp, Puncture, Burn marks."""
    rare_class_factor: float = Field(default=1, ge=1, le=16)
    """Factor on the number of copies of tiles that hold a rare class. 1: windows are drawn towards rare classes already."""
    paste: Paste = Paste()
    """Rare damage pasted into copies; without heavy copies nothing is pasted by default."""
    workers: int | None = Field(default=None, ge=1, le=64)
    """Pictures worked on at once; null: one per CPU, at most 8. Changes no result, only time and memory (the decoded pictures)."""

    @model_validator(mode="after")
    def _squash_has_no_max_side(self) -> Self:
        if self.geometry == "squash" and self.max_side is not None:
            raise ValueError("max_side has no meaning with geometry 'squash'; set it to null")
        return self

    @property
    def pastes(self) -> bool:
        """Whether any copy may receive a patch."""
        return self.paste.probability > 0 and any(getattr(self.copies, level) > 0 for level in self.paste.levels)

    def tile_geometry(self, tile_size: int) -> Geometry:
        """The geometry that models will be told, for tiles of `tile_size` pixels."""
        if self.geometry == "squash":
            return Geometry(tile_size=tile_size, scale_rule="squash")
        if self.max_side is None:
            return Geometry(tile_size=tile_size, scale_rule="native")
        return Geometry(tile_size=tile_size, scale_rule="max_side", max_side=self.max_side)
