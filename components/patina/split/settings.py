"""Settings of the split stage."""

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from patina.core.config import Config

Protocol = Literal["holdout", "kfold", "leave_one_material_group_out", "leave_one_content_out"]
NearDuplicates = Literal["none", "files", "hash", "content"]


class SplitSettings(Config):
    """How the pictures are divided."""

    protocol: Protocol = "holdout"
    """`holdout`: one division into training, validation and test. `kfold`: each picture is tested once in `folds` runs.
    `leave_one_material_group_out`, `leave_one_content_out`: a fold per group of materials, or per content, tests whether
    a model carries over to what it never saw. With folds, one run tests `test_fold`."""
    folds: int = Field(default=5, ge=3, le=50)
    """Number of folds of `kfold`: one tests, one validates, the others train, so three at least. 5 trains on 60 % of the
    pictures, as the holdout does."""
    test_fold: int = Field(default=0, ge=0)
    """The fold that this run tests, 0..k-1. The folds themselves do not depend on it."""
    test: float = Field(default=0.25, gt=0, lt=1)
    """`holdout`: share of the pictures that no training ever sees, 0..1; 0.25 of 96 leaves 24 to compare models on."""
    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of the pictures that choose the checkpoint, 0..1: of all in `holdout`, of those not tested in the
    leave-one-out protocols. In `kfold` the fold after the tested one validates."""
    material_groups: tuple[tuple[str, ...], ...] = (
        ("Parchment", "Paper"),
        ("Canvas", "Textile"),
        ("Wood", "Film emulsion"),
        ("Glass", "Ceramic", "Tesserae"),
        ("Lime plaster",),
    )
    """`leave_one_material_group_out`: which materials are left out together, in the order of the folds. The default puts
    ARTeFACT's small materials with related ones, so that each fold has pictures enough. A material that is named nowhere
    is a group of its own, after these."""
    near_duplicates: NearDuplicates = "content"
    """Which pictures count as copies and stay together. `files`: equal SHA-256. `hash`: also pictures scaled or saved again
    (perceptual hash). `content`: also flips, rotations and crops down to 60 % of the area; it decodes every picture, which
    takes about 0.05 s of one core for each of 96 pictures of 0.2 Mpx. `none`: nothing is looked for, for experiments that
    need a leak."""
    near_duplicate_bits: int = Field(default=4, ge=0, le=16)
    """Pictures whose 64-bit perceptual hashes differ in at most this many bits count as copies of one another. Copies that
    were scaled or saved again differ in 0 to 4; different pictures of the generated sample in 12 or more."""
    group_columns: tuple[str, ...] | None = None
    """Columns of the data whose equal values keep pictures together, for instance `group_object`; an empty value binds
    nothing. None uses every group column that the data has: who wrote one down knew that the pictures belong together."""
    trials: int = Field(default=20, ge=1, le=1000)
    """Random divisions that are drawn; the best balanced one is kept."""

    @model_validator(mode="after")
    def _leaves_training_pictures(self) -> Self:
        if self.test + self.val > 0.9:
            raise ValueError(f"test {self.test} and val {self.val} leave less than 0.1 of the pictures for training")
        return self

    @model_validator(mode="after")
    def _names_each_material_once(self) -> Self:
        named = Counter(material for group in self.material_groups for material in group)
        if repeated := sorted(material for material, times in named.items() if times > 1):
            raise ValueError(f"material_groups name {', '.join(repeated)} twice")
        if not all(self.material_groups):
            raise ValueError("material_groups hold an empty group")
        return self

    @model_validator(mode="after")
    def _tests_a_fold_that_exists(self) -> Self:
        if self.protocol == "kfold" and self.test_fold >= self.folds:
            raise ValueError(f"test_fold {self.test_fold} is not one of the {self.folds} folds 0..{self.folds - 1}")
        return self
