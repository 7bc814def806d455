"""What `patina run` can be asked for: every setting of the benchmark in one checked model, and two starting points."""

import json
from typing import Any, Literal

from pydantic import Field

from patina.augment.settings import AugmentSettings, Copies
from patina.core.config import Config, override
from patina.core.errors import UsageError
from patina.download.settings import DownloadSettings
from patina.models.architectures import QUICK, STANDARD, Architecture
from patina.split.settings import SplitSettings
from patina.train.recipes import recipe as train_recipe
from patina.train.settings import TrainConfig
from patina_pipelines.resources import Pool, loop_item

Preset = Literal["quick", "standard"]


class Benchmark(Config):
    """Every setting of the benchmark pipeline."""

    data: str = "sample"
    """`sample`, a folder, `hf://danielaivanova/damaged-media`, or `s3://bucket/prefix` that `patina mirror` filled."""
    pictures: int = Field(default=96, ge=3, le=100_000)
    """Number of generated pictures; only for `sample`."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Source of all randomness."""
    tile_size: int = Field(default=384, ge=64, le=2048, multiple_of=32)
    """Edge of the training tiles in pixels."""
    recipe: Preset
    """Named training settings."""
    epochs: int = Field(ge=1, le=10_000)
    """Passes over the training tiles."""
    architectures: tuple[Architecture, ...] = Field(min_length=1)
    """What is trained and compared."""
    download: DownloadSettings = DownloadSettings()
    """Settings of the download stage."""
    split: SplitSettings = SplitSettings()
    """Settings of the split stage."""
    augment: AugmentSettings = AugmentSettings()
    """Settings of the augment stage."""
    train: TrainConfig
    """Settings of the training; they start from the recipe."""


def preset(name: Preset) -> Benchmark:
    """The starting point called `name`."""
    match name:
        case "quick":
            return quick()
        case "standard":
            return standard()


def quick() -> Benchmark:
    """Small encoders of the three families on small tiles of the generated sample: under 5 minutes on 2 CPU cores.

    Pictures are reduced to 256 px: a tile of 64 px then shows enough context, at a quarter of the work. No offline copies: so
    short a training never sees a tile often enough to need them.
    """
    return Benchmark(
        tile_size=64,
        recipe="quick",
        epochs=4,
        architectures=QUICK,
        augment=AugmentSettings(max_side=256, windows_per_picture=24, copies=Copies(light=0, medium=0, heavy=0)),
        train=train_recipe("quick"),
    )


def standard() -> Benchmark:
    """The benchmark's three encoders on 384-pixel tiles at native resolution: hours, on one GPU per architecture."""
    return Benchmark(recipe="standard", epochs=50, architectures=STANDARD, train=train_recipe("standard"))


def with_changes(start: Benchmark, changes: dict[str, Any]) -> Benchmark:
    """`start` with dotted-key `changes` (`--set`) applied.

    Raises:
        UsageError: an unknown key, or a value of the wrong type or range.
    """
    if len(set(changes.get("architectures", ()))) != len(changes.get("architectures", ())):
        raise UsageError(f"architectures {changes['architectures']} name one twice: each is trained once. Remove the second.")
    return override(start, changes, "setting")


def pipeline_arguments(asked: Benchmark, cores: int) -> dict[str, Any]:
    """The arguments of the pipeline `benchmark` for a local run.

    Args:
        asked: the settings.
        cores: CPU cores of this machine; the loop runs two trainings at once, which share them.
    """
    names = asked.architectures
    shared, alone = Pool(cpu=str(max(1, cores // 2))), Pool(cpu=str(cores))
    lone = len(names) - 1 if len(names) % 2 else None  # the last of an odd number has no neighbour
    recipe_defaults = json.loads(train_recipe(asked.recipe).model_dump_json())
    train = json.loads(asked.train.model_dump_json())
    return {
        "data": asked.data,
        "pictures": asked.pictures,
        "seed": asked.seed,
        "tile_size": asked.tile_size,
        "recipe": asked.recipe,
        "epochs": asked.epochs,
        "architectures": [loop_item(name, alone if place == lone else shared) for place, name in enumerate(names)],
        "download_settings": asked.download.model_dump_json(),
        "split_settings": asked.split.model_dump_json(),
        "augment_settings": asked.augment.model_dump_json(),
        "train_settings": json.dumps(_changed(recipe_defaults, train), sort_keys=True),
    }


def _changed(start: dict[str, Any], now: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of `now` whose values differ from `start`."""
    changes: dict[str, Any] = {}
    for key, value in now.items():
        if isinstance(value, dict) and isinstance(start[key], dict):
            changes |= _changed(start[key], value, f"{prefix}{key}.")
        elif value != start[key]:
            changes[prefix + key] = value
    return changes
