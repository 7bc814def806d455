"""One optimisation step, and whatever must be saved so that the next one comes out the same."""

import logging
import math
from typing import Any

import torch
from torch import Tensor, nn

from patina.core.errors import StageFailed
from patina.train.losses import SegmentationLoss
from patina.train.settings import OptimizerConfig

_LOG = logging.getLogger(__name__)


def learning_rate(step: int, total: int, config: OptimizerConfig) -> float:
    """The rate of step `step` (0-based) of `total`: torch's OneCycleLR with cosine legs, as a function without state.

    Up from peak / 25 to the peak over the first `warmup` share of the steps, down to peak / 250,000 over the rest.
    """
    start, peak, end = config.learning_rate / 25, config.learning_rate, config.learning_rate / 250_000
    summit = config.warmup * total - 1
    if step <= summit:
        low, high, share = start, peak, step / max(summit, 1)
    else:
        low, high, share = peak, end, (step - summit) / (total - 1 - summit)
    return high + (low - high) / 2 * (1 + math.cos(math.pi * share))


class Learner:
    """A network with its optimiser. Half precision on CUDA only: bfloat16 where the GPU has it, else float16 with a scaled loss.

    Args:
        model: on its device already.
        criterion: likewise.
        config: of the optimiser.
        device: where both are.
        micro_batch: most tiles that go through the model at once; more are taken in parts, whose gradients add up.
    """

    def __init__(
        self, model: nn.Module, criterion: SegmentationLoss, config: OptimizerConfig, device: torch.device, micro_batch: int
    ) -> None:
        self.model, self.criterion, self.device, self.micro_batch = model, criterion, device, micro_batch
        self._config = config
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [weight for weight in self._weights if weight.ndim > 1], "weight_decay": config.weight_decay},
                {"params": [weight for weight in self._weights if weight.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        on_gpu = device.type == "cuda"
        self._half = torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        self._scaler = torch.amp.GradScaler(device.type, enabled=on_gpu and self._half == torch.float16)

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] -> logits float [B, C, H, W]."""
        with torch.autocast(self.device.type, self._half, enabled=self.device.type == "cuda"):
            return self.model(images)

    def step(self, images: Tensor, truth: Tensor, rate: float) -> float | None:
        """Learns from one batch at the learning rate `rate`.

        Returns:
            The loss; None if loss or gradient was not finite: then the model is what it was before.

        Raises:
            StageFailed: a single tile does not fit into the GPU's memory.
        """
        before = [buffer.clone() for buffer in self.model.buffers()]  # running means and variances: a NaN would stay in them
        while True:
            try:
                loss = self._backward(images, truth)
                break
            except torch.OutOfMemoryError as error:
                self._restore(before)
                self._take_smaller_parts(min(self.micro_batch, len(images)), error)
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._weights, self._config.clip_norm)
        if not math.isfinite(loss) or not (self._scaler.is_enabled() or math.isfinite(norm.item())):
            self._restore(before)
            self._scaler.update()
            return None
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._scaler.step(self._optimizer)  # leaves out a step whose float16 gradient overflowed, and lowers the scale
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return loss

    def state(self) -> dict[str, Any]:
        """Everything that decides the next step: tensors, numbers, strings."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "micro_batch": self.micro_batch,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to a `state()`."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.micro_batch = state["micro_batch"]

    def _backward(self, images: Tensor, truth: Tensor) -> float:
        """Adds up the gradients of the parts of a batch, each by its share of the tiles; returns the mean loss."""
        total = torch.zeros((), device=self.device)
        for some_images, some_truth in zip(images.split(self.micro_batch), truth.split(self.micro_batch), strict=True):
            loss = self.criterion(self.forward(some_images), some_truth) * (len(some_images) / len(images))
            self._scaler.scale(loss).backward()
            total += loss.detach()
        return total.item()

    def _restore(self, before: list[Tensor]) -> None:
        for buffer, value in zip(self.model.buffers(), before, strict=True):
            buffer.copy_(value)
        self._optimizer.zero_grad(set_to_none=True)

    def _take_smaller_parts(self, tried: int, error: torch.OutOfMemoryError) -> None:
        if tried == 1:
            raise StageFailed("the GPU cannot hold one tile of this model. Choose a smaller tile size or architecture.") from error
        self.micro_batch = (tried + 1) // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        _LOG.warning("GPU memory is too small for %d tiles at once: going on with %d, same batch", tried, self.micro_batch)
