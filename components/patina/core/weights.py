"""The `weights` artifact: how often each class occurs in the training pictures, and the loss weights made from that."""

import math
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from patina.core import storage
from patina.core.artifact import open_artifact
from patina.core.config import Config, explain
from patina.core.errors import DataRefused, UsageError
from patina.core.taxonomy import NUM_CLASSES

WEIGHTS, COUNTS, CHART = "weights.json", "counts.parquet", "weights.html"
Scheme = Literal["none", "inverse", "inverse_sqrt"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


class ClassWeights(Config):
    """What `weights.json` holds; every list has one entry per class id 0..15."""

    schemes: dict[Scheme, list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]]
    """Loss weights by scheme, finite and positive, mean 1 over the classes that are present."""
    present: list[bool]
    """Whether the training pictures hold the class at all."""
    pixels: list[Annotated[int, Field(ge=0)]]
    """Pixels of the class over all training pictures."""
    pictures: list[Annotated[int, Field(ge=0)]]
    """Training pictures that hold the class."""

    @model_validator(mode="after")
    def _one_entry_per_class(self) -> Self:
        for name, values in (*self.schemes.items(), ("present", self.present), ("pixels", self.pixels), ("pictures", self.pictures)):
            if len(values) != NUM_CLASSES:
                raise ValueError(f"{name} has {len(values)} entries, expected {NUM_CLASSES}")
        if missing := [scheme for scheme in SCHEMES if scheme not in self.schemes]:
            raise ValueError(f"the schemes {missing} are missing")
        for scheme, weights in self.schemes.items():
            held = [weight for weight, present in zip(weights, self.present, strict=True) if present]
            if not held or not math.isclose(sum(held) / len(held), 1.0, rel_tol=1e-6):
                raise ValueError(f"scheme {scheme}: the weights of the present classes should have the mean 1")
        return self


def read_class_weights(folder: Path) -> ClassWeights:
    """Checks the `weights` artifact in `folder` completely and returns all of `weights.json`.

    Raises:
        DataRefused: not an intact `weights` artifact.
    """
    open_artifact(folder, "weights")
    content = storage.read_json(folder / WEIGHTS)
    try:
        return ClassWeights.model_validate(content)
    except ValidationError as error:
        raise DataRefused(f"{folder / WEIGHTS}: {explain(ClassWeights, error)}. Run class_weights again.") from error


def read_weights(folder: Path, scheme: Scheme) -> NDArray[np.float32]:
    """Loss weights of `scheme`: float32 [16], finite, positive, mean 1 over the classes that the training pictures hold.

    Raises:
        DataRefused: not an intact `weights` artifact.
        UsageError: no such scheme.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"weight scheme {scheme!r} is unknown. Choose one of {', '.join(SCHEMES)}.")
    return np.array(read_class_weights(folder).schemes[scheme], np.float32)
