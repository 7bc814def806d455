"""Named trainings: functions that return a `TrainConfig`; what one costs and what it is for stands in its docstring."""

from typing import Literal, get_args

from patina.core.errors import UsageError
from patina.train.settings import LossConfig, OnlineConfig, OptimizerConfig, TrainConfig

RecipeName = Literal["quick", "standard"]


def standard() -> TrainConfig:
    """The benchmark: ImageNet encoders, half Dice and half focal loss, one cycle to 1e-3, meant for 50 epochs of 384-px tiles.

    Cost: three times the forward pass (41 GFLOP for ConvNeXt-T, 52 for MiT-B3, 49 for MaxViT-T) per tile and epoch: hours
    on a GPU for tens of thousands of tiles, days on a CPU.
    """
    return TrainConfig(
        loss=LossConfig(dice=0.5, focal=0.5, gamma=2.0, smooth=1.0, class_weights="inverse_sqrt"),
        optimizer=OptimizerConfig(learning_rate=1e-3, warmup=0.3, weight_decay=0.01, clip_norm=1.0),
        pretrained="imagenet",
        decoder_channels=(256, 128, 64, 32, 16),
        batch_size=96,
        patience=10,
        min_delta=0.001,
    )


def quick() -> TrainConfig:
    """Small encoders from scratch within two minutes on one CPU core each: shows that everything works, no more.

    Cost on one core at 64 px: about 70 tiles/s. Mild class weights and a high peak rate: with strong weights the few hundred
    steps go into classes that need thousands.
    """
    return TrainConfig(
        loss=LossConfig(dice=0.5, focal=1.0, gamma=0.0, smooth=1.0, class_weights="inverse_sqrt", max_ratio=5.0),
        optimizer=OptimizerConfig(learning_rate=3e-3, warmup=0.2, weight_decay=0.01, clip_norm=1.0),
        online=OnlineConfig(),
        pretrained="none",
        decoder_channels=(96, 64, 32, 16, 16),
        batch_size=8,
        patience=1000,
    )


def recipe(name: str) -> TrainConfig:
    """The recipe called `name`.

    Raises:
        UsageError: there is none of this name.
    """
    match name:
        case "quick":
            return quick()
        case "standard":
            return standard()
        case _:
            raise UsageError(f"unknown recipe {name!r}. Valid names: {', '.join(get_args(RecipeName))}.")
