"""Settings of a training. Recipes (`patina.train.recipes`) fill them in; no torch here, the command line reads them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from patina.core.config import Config
from patina.core.weights import Counted, Scheme


class LossConfig(Config):
    """The loss is a weighted sum of its parts; a part with weight 0 is not computed."""

    dice: float = Field(default=0.5, ge=0)
    """Weight of the Dice loss."""
    focal: float = Field(default=0.5, ge=0)
    """Weight of the focal loss."""
    gamma: float = Field(default=2.0, ge=0, le=5)
    """Focusing exponent of the focal loss; 0 makes it the cross-entropy. 2 is best in Lin et al. 2017."""
    smooth: float = Field(default=1.0, ge=0)
    """Pixels added to numerator and denominator of Dice, so that a class of few pixels does not swing it."""
    class_weights: Scheme = "inverse_sqrt"
    """Which scheme of the weights artifact both parts use: frequent classes count less."""
    counted: Counted = "picture"
    """How the artifact counted frequency: per `picture` all pictures count alike, per `pixel` one huge scan outweighs the others."""
    max_ratio: float = Field(default=1000.0, ge=1)
    """Largest class weight, as a multiple of the smallest; larger ones are cut to it. The predecessor's was 36."""

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.dice + self.focal == 0:
            raise ValueError("dice and focal are both 0: at least one part of the loss must count")
        return self


class OptimizerConfig(Config):
    """AdamW (Loshchilov & Hutter 2019) under a one-cycle schedule (Smith & Topin 2018) with cosine legs."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """Peak of the cycle. It starts at 1/25 of it and ends at 1/250,000, as in torch's OneCycleLR."""
    warmup: float = Field(default=0.3, gt=0, lt=1)
    """Share of the steps that climb to the peak."""
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """Decoupled decay of the weight matrices and kernels; biases and norms have none."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Longest gradient, over all weights."""


class OnlineConfig(Config):
    """Cheap random changes to each training tile each time it is seen; the strong ones were made by the augment stage."""

    flip: float = Field(default=0.5, ge=0, le=1)
    """Probability of a horizontal flip, and independently of a vertical one."""
    transpose: float = Field(default=0.5, ge=0, le=1)
    """Probability that rows become columns; with both flips this makes the eight symmetries of the square, turns included."""
    brightness: float = Field(default=0.1, ge=0, le=1)
    """Largest shift of all channels, as a share of the value range."""
    contrast: float = Field(default=0.15, ge=0, lt=1)
    """Largest relative change of the distance from the tile's mean."""
    color: float = Field(default=0.05, ge=0, lt=1)
    """Largest relative change of each channel for itself."""


class TrainConfig(Config):
    """Everything that decides what a training does, beside architecture, tiles, epochs and seed."""

    loss: LossConfig = LossConfig()
    """What is minimised."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """How it is minimised."""
    online: OnlineConfig = OnlineConfig()
    """Random changes to the tiles."""
    pretrained: Literal["imagenet", "none"] = "imagenet"
    """Where the encoder's weights start: ImageNet weights from the hub, or random."""
    decoder_channels: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    """Width of the U-Net decoder's blocks, coarse to fine."""
    fold: int | None = Field(default=None, ge=0)
    """Fold that is tested, when the tiles were made for cross-validation: it is left out, the next one validates. Null for tiles of
    one division, which say themselves what they are for."""
    batch_size: int = Field(default=16, ge=1, le=1024)
    """Tiles per step. When the GPU's memory is too small for it, a step is made of smaller parts."""
    patience: int = Field(default=10, ge=1)
    """Epochs without a better validation mIoU before the training ends."""
    min_delta: float = Field(default=0.001, ge=0, le=1)
    """Smallest gain of validation mIoU that patience counts as better."""
    bad_steps: int = Field(default=20, ge=0)
    """Steps with a loss or gradient that is not finite, which are skipped, before the training gives up."""
    checkpoint_seconds: float = Field(default=30.0, ge=0)
    """Seconds between two saved states: at most this much work is lost to a kill. 0 saves after every step."""
