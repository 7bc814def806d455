"""From memory-mapped tiles to normalised batches. Every draw is a function of (seed, epoch, step): a resumed run needs no state here.

No worker processes: a shuffled epoch of 1,458 tiles of 384 px is gathered from the map in 66 ms, and what is random beyond
the tiles on disk is a few tensor operations on the device.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patina.train.settings import OnlineConfig

_ORDER, _CHANGES = 0, 1  # streams of the seed


@dataclass(frozen=True)
class Batches:
    """The tiles of one training.

    Attributes:
        images: uint8 [N, H, W, 3], usually a memory map.
        masks: uint8 [N, H, W], class ids or 255.
        train: rows to learn from, int64.
        validation: rows to validate on, int64.
        mean: of the colour channels at values 0..1.
        std: likewise.
        size: tiles per step.
        device: where the batches go.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int
    device: torch.device

    @property
    def steps(self) -> int:
        """Steps per epoch; the last one may be smaller, a rest of one tile joins the step before it."""
        whole, rest = divmod(len(self.train), self.size)
        return max(1, whole + (rest > 1 or (rest == 1 and self.size == 1)))

    def training(self, seed: int, epoch: int, first: int, online: OnlineConfig) -> Iterator[tuple[Tensor, Tensor]]:
        """The steps of an epoch from step `first` on: images float32 [B, 3, H, W] normalised, truth int64 [B, H, W]."""
        order = np.random.default_rng((seed, _ORDER, epoch)).permutation(self.train)
        for step in range(first, self.steps):
            end = len(order) if step == self.steps - 1 else (step + 1) * self.size
            images, masks = self._gather(order[step * self.size : end])
            images, masks = changed(images, masks, np.random.default_rng((seed, _CHANGES, epoch, step)), online)
            yield self._normalised(images), masks.long()

    def validating(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation tiles as they are, in order."""
        for start in range(0, len(self.validation), self.size):
            images, masks = self._gather(self.validation[start : start + self.size])
            yield self._normalised(images.float()), masks.long()

    def _gather(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Rows of the map on the device: uint8 [B, 3, H, W], channels last in memory, and uint8 [B, H, W]."""
        rows = np.sort(rows)  # forward reads; the order within a step means nothing
        images, masks = torch.from_numpy(self.images[rows]), torch.from_numpy(self.masks[rows])
        if self.device.type == "cuda":
            images, masks = (part.pin_memory().to(self.device, non_blocking=True) for part in (images, masks))
        return images.permute(0, 3, 1, 2), masks

    def _normalised(self, images: Tensor) -> Tensor:
        """Values 0..255 -> normalised, channels last: 8-20 % faster than channels first for the quick encoders on one CPU core."""
        mean, std = (torch.tensor(values, device=self.device).view(1, 3, 1, 1) * 255 for values in (self.mean, self.std))
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def changed(images: Tensor, masks: Tensor, rng: np.random.Generator, online: OnlineConfig) -> tuple[Tensor, Tensor]:
    """Random symmetries of tile and mask, and random light on the tile; every tile has its own draw.

    Args:
        images: uint8 [B, 3, H, W] with H = W.
        masks: uint8 [B, H, W].
        rng: source of the draws.
        online: probabilities and ranges.

    Returns:
        float32 [B, 3, H, W] with values 0..255, and uint8 [B, H, W] that holds the same values as `masks`.
    """
    count = len(images)
    for probability, turn in (
        (online.flip, lambda part: part.flip(-1)),
        (online.flip, lambda part: part.flip(-2)),
        (online.transpose, lambda part: part.transpose(-1, -2)),
    ):
        chosen = torch.from_numpy(rng.random(count) < probability).to(images.device)
        images = torch.where(chosen.view(-1, 1, 1, 1), turn(images), images)
        masks = torch.where(chosen.view(-1, 1, 1), turn(masks), masks)
    shift = rng.uniform(-255 * online.brightness, 255 * online.brightness, (count, 1, 1, 1))
    gain = rng.uniform(1 - online.contrast, 1 + online.contrast, (count, 1, 1, 1))
    gain = gain * rng.uniform(1 - online.color, 1 + online.color, (count, 3, 1, 1))
    values = images.float()
    center = values.mean((1, 2, 3), keepdim=True)
    shift, gain = (torch.from_numpy(draw).to(images.device, torch.float32) for draw in (shift, gain))
    return ((values - center) * gain + (center + shift)).clamp_(0, 255), masks
