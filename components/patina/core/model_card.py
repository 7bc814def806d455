"""What a model artifact says of itself in `model.json`: all that is needed to build it again and to feed it rightly."""

from pathlib import Path
from typing import Any

from pydantic import Field

from patina.core.config import Config, parse
from patina.core.errors import DataRefused, UsageError
from patina.core.taxonomy import ViewName, view
from patina.core.tiles import Geometry

CARD = "model.json"
WEIGHTS = "model.safetensors"


class ModelCard(Config):
    """What `model.json` holds."""

    architecture: str
    """Name in `patina.models.architectures`."""
    decoder: str
    """Name of the decoder: `unet`."""
    decoder_channels: tuple[int, ...]
    """Width of the decoder's blocks, coarse to fine."""
    encoder: str
    """Name of the encoder in segmentation_models_pytorch."""
    view: ViewName
    """View of the taxonomy that the head speaks."""
    classes: tuple[str, ...] = Field(min_length=2)
    """Names of the head's outputs, in order."""
    mean: tuple[float, float, float]
    """Mean of the colour channels at values 0..1: the input is (RGB / 255 - mean) / std."""
    std: tuple[float, float, float]
    """Standard deviation of the colour channels at values 0..1."""
    tile_size: int = Field(ge=32)
    """Edge of the square input in pixels."""
    geometry: Geometry
    """How pictures were brought to the scale of the tiles."""
    recipe: str
    """Name of the recipe in `patina.train.recipes`."""
    config: dict[str, Any]
    """The recipe with the changes made to it: the whole training configuration."""
    epochs: int = Field(ge=1)
    """Length of the training that was asked for."""
    seed: int = Field(ge=0)
    """Source of the training's randomness."""
    parameters: int = Field(ge=1)
    """Number of weights that training changes."""


def read_model_card(folder: Path) -> ModelCard:
    """The card of the model artifact `folder`.

    Raises:
        DataRefused: no card, or one that contradicts itself.
    """
    path = folder / CARD
    try:
        card = parse(ModelCard, path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError, UsageError) as error:
        raise DataRefused(f"{folder} holds no readable {CARD}: {error}. Train the model again.") from error
    if card.classes != view(card.view).classes:
        raise DataRefused(f"{path}: classes {card.classes} are not those of the view {card.view!r}. Train the model again.")
    return card
