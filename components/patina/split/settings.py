"""Settings of the split stage."""

from typing import Self

from pydantic import Field, model_validator

from patina.core.config import Config


class SplitSettings(Config):
    """How the pictures are divided."""

    test: float = Field(default=0.25, gt=0, lt=1)
    """Share of the pictures that no training ever sees, 0..1; 0.25 of 96 leaves 24 to compare models on."""
    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of the pictures that choose the checkpoint, 0..1."""
    near_duplicate_bits: int = Field(default=4, ge=0, le=16)
    """Pictures whose 64-bit perceptual hashes differ in at most this many bits count as copies of one another. Copies that
    were scaled or saved again differ in 0 to 4; different pictures of the generated sample in 12 or more."""
    trials: int = Field(default=20, ge=1, le=1000)
    """Random divisions that are drawn; the best balanced one is kept."""

    @model_validator(mode="after")
    def _leaves_training_pictures(self) -> Self:
        if self.test + self.val > 0.9:
            raise ValueError(f"test {self.test} and val {self.val} leave less than 0.1 of the pictures for training")
        return self
