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
Scheme = Literal["none", "inverse", "inverse_sqrt", "log", "effective", "median_frequency"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
Counted = Literal["picture", "pixel"]
COUNTED: tuple[Counted, ...] = get_args(Counted)


class ClassWeights(Config):
    """What `weights.json` holds; every list has one entry per class id 0..15."""

    schemes: dict[Counted, dict[Scheme, list[Annotated[float, Field(gt=0)]]]]
    """Loss weights by way of counting and scheme, finite and positive, mean 1 over the classes that are present."""
    shares: dict[Counted, list[Annotated[float, Field(ge=0, le=1)]]]
    """Share of the class, 0..1, sum 1: of all labelled pixels (`pixel`), or the mean of its shares in each picture (`picture`)."""
    present: list[bool]
    """Whether the training pictures hold the class at all."""
    pixels: list[Annotated[int, Field(ge=0)]]
    """Pixels of the class over all training pictures."""
    pictures: list[Annotated[int, Field(ge=0)]]
    """Training pictures that hold the class."""

    @model_validator(mode="after")
    def _one_entry_per_class(self) -> Self:
        lists = {f"shares.{counted}": values for counted, values in self.shares.items()}
        lists |= {f"schemes.{counted}.{scheme}": values for counted, schemes in self.schemes.items() for scheme, values in schemes.items()}
        for name, values in (*lists.items(), ("present", self.present), ("pixels", self.pixels), ("pictures", self.pictures)):
            if len(values) != NUM_CLASSES:
                raise ValueError(f"{name} has {len(values)} entries, expected {NUM_CLASSES}")
        wanted = {f"shares.{counted}" for counted in COUNTED} | {f"schemes.{counted}.{scheme}" for counted in COUNTED for scheme in SCHEMES}
        if missing := sorted(wanted - set(lists)):
            raise ValueError(f"{', '.join(missing)} missing")
        return self

    @model_validator(mode="after")
    def _normalised(self) -> Self:
        for counted, schemes in self.schemes.items():
            if not math.isclose(sum(self.shares[counted]), 1.0, rel_tol=1e-6):
                raise ValueError(f"shares.{counted} should sum to 1")
            for scheme, weights in schemes.items():
                held = [weight for weight, present in zip(weights, self.present, strict=True) if present]
                if not held or not math.isclose(sum(held) / len(held), 1.0, rel_tol=1e-6):
                    raise ValueError(f"schemes.{counted}.{scheme}: the weights of the present classes should have the mean 1")
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


def read_weights(folder: Path, scheme: Scheme, counted: Counted) -> NDArray[np.float32]:
    """Loss weights: float32 [16], finite, positive, mean 1 over the classes that the training pictures hold.

    Args:
        folder: of a `weights` artifact.
        scheme: how weights fall with frequency.
        counted: whether frequency was counted per picture or per pixel.

    Raises:
        DataRefused: not an intact `weights` artifact.
        UsageError: no such scheme or way of counting.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"weight scheme {scheme!r} is unknown. Choose one of {', '.join(SCHEMES)}.")
    if counted not in COUNTED:
        raise UsageError(f"counted={counted!r} is unknown. Choose one of {', '.join(COUNTED)}.")
    return np.array(read_class_weights(folder).schemes[counted][scheme], np.float32)
