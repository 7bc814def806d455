"""The training loop. It can be stopped at any moment and goes on exactly where its last checkpoint was taken."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patina.core.confusion import confusion, mean_iou
from patina.core.errors import DataRefused, Interrupted, StageFailed
from patina.train.batches import Batches
from patina.train.checkpoints import CheckpointStore
from patina.train.learner import Learner, learning_rate
from patina.train.settings import TrainConfig
from patina.train.turns import stop_requests

_LOG = logging.getLogger(__name__)
_STEPS_TO_ESTIMATE = 10
"""The first steps allocate and warm up: an estimate from them is several times too long."""


@dataclass
class Position:
    """Where a training stands; part of every checkpoint, so it holds nothing but numbers, lists, dicts and tensors.

    Attributes:
        epoch: epochs finished.
        step: steps done in the current one.
        losses: their finite losses.
        skipped: steps left out so far because a loss or gradient was not finite.
        history: one row per finished epoch.
        best: the weights of the best epoch, on the CPU.
        best_epoch: its number, from 1.
        best_miou: its validation mIoU.
        reference: the validation mIoU that patience compares with.
        waited: epochs since it was beaten.
        seconds: time spent, over all processes that had a part in it.
        starts: number of these processes.
    """

    epoch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    skipped: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_epoch: int | None = None
    best_miou: float | None = None
    reference: float | None = None
    waited: int = 0
    seconds: float = 0.0
    starts: int = 0


def fit(
    learner: Learner,
    batches: Batches,
    config: TrainConfig,
    *,
    epochs: int,
    seed: int,
    store: CheckpointStore | None,
    report: Callable[[Position, float | None], None],
) -> Position:
    """Trains for `epochs` epochs, or until patience runs out.

    Args:
        learner: the network; afterwards it has the weights of its last step.
        batches: the tiles.
        config: the recipe.
        epochs: length of the one-cycle schedule.
        seed: decides order and random changes of the tiles.
        store: where states are kept, and where the last one is looked for; None keeps none.
        report: is told after every step where the training stands, and the estimated seconds left.

    Returns:
        The position at the end.

    Raises:
        Interrupted: SIGTERM or SIGINT came; the step was finished and its state saved.
        StageFailed: too many steps with a loss or gradient that is not finite.
    """
    position = _resume(learner, store)
    position.starts += 1
    total = epochs * batches.steps
    before, spent = position.epoch * batches.steps + position.step, position.seconds
    started = saved = time.monotonic()
    with stop_requests() as stop:
        while position.epoch < epochs and position.waited < config.patience:
            learner.model.train()
            for images, truth in batches.training(seed, position.epoch, position.step, config.online):
                done = position.epoch * batches.steps + position.step
                _count(learner.step(images, truth, learning_rate(done, total, config.optimizer)), position, config)
                position.step += 1
                position.seconds = spent + time.monotonic() - started
                if stop():
                    break
                if store is not None and time.monotonic() - saved >= config.checkpoint_seconds:
                    save(store, learner, position, batches.steps)
                    saved = time.monotonic()
                ran = done + 1 - before
                left = (time.monotonic() - started) / ran * (total - done - 1)
                report(position, left if ran >= _STEPS_TO_ESTIMATE else None)
            scores = None if stop() else validate(learner, batches, stop)
            if scores is None:
                raise _interrupted(learner, position, batches.steps, store)
            rate = learning_rate(position.epoch * batches.steps + position.step - 1, total, config.optimizer)
            _finish_epoch(position, learner, config, *scores, rate=rate, steps=batches.steps)
            position.seconds = spent + time.monotonic() - started
            report(position, None)
    return position


def best_weights(position: Position) -> dict[str, Tensor]:
    """The weights of the best epoch, on the CPU.

    Raises:
        StageFailed: no epoch had a finite validation loss.
    """
    if position.best is None:
        raise StageFailed(f"none of {position.epoch} epochs had a finite validation loss. Lower optimizer.learning_rate.")
    return position.best


@torch.inference_mode()
def validate(learner: Learner, batches: Batches, stop: Callable[[], bool]) -> tuple[NDArray[np.int64], float] | None:
    """Confusion counts int64 [C, C] pooled over the validation tiles, and their mean loss; None if asked to stop."""
    learner.model.eval()
    counts, loss = np.zeros((), np.int64), 0.0
    for images, truth in batches.validating():
        if stop():
            return None
        logits = learner.forward(images)
        loss += learner.criterion(logits, truth).item() * len(images) / len(batches.validation)
        prediction = logits.argmax(1).to(torch.uint8)
        counts = counts + confusion(truth.to(torch.uint8).cpu().numpy(), prediction.cpu().numpy(), logits.shape[1])
    return counts, loss


def save(store: CheckpointStore, learner: Learner, position: Position, steps: int) -> None:
    """Saves where the training stands."""
    fields = {name: getattr(position, name) for name in Position.__dataclass_fields__}  # asdict would copy the tensors
    store.save(position.epoch * steps + position.step, {"learner": learner.state(), "position": fields})


def _resume(learner: Learner, store: CheckpointStore | None) -> Position:
    state: dict[str, Any] | None = store.newest() if store is not None else None
    if store is None or state is None:
        return Position()
    try:
        position = Position(**state["position"])
        learner.load_state(state["learner"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataRefused(f"the checkpoints in {store.where} are of another version of patina ({error}). Remove the folder.") from error
    _LOG.info("going on after epoch %d, step %d", position.epoch, position.step)
    return position


def _count(loss: float | None, position: Position, config: TrainConfig) -> None:
    if loss is not None:
        position.losses.append(loss)
        return
    position.skipped += 1
    _LOG.warning("epoch %d, step %d: loss or gradient is not finite, step skipped", position.epoch + 1, position.step + 1)
    if position.skipped > config.bad_steps:
        raise StageFailed(
            f"{position.skipped} steps had a loss or gradient that is not finite (allowed: {config.bad_steps}). "
            "Lower optimizer.learning_rate or optimizer.clip_norm."
        )


def _finish_epoch(
    position: Position, learner: Learner, config: TrainConfig, counts: NDArray[np.int64], loss: float, *, rate: float, steps: int
) -> None:
    """Writes the epoch into the history, keeps its weights if they are the best, and counts patience."""
    position.epoch += 1
    miou = mean_iou(counts)
    train_loss = math.fsum(position.losses) / len(position.losses) if position.losses else math.nan
    position.history.append(
        {
            "epoch": position.epoch,
            "step": position.epoch * steps,
            "train_loss": train_loss,
            "val_loss": loss,
            "val_miou": miou,
            "learning_rate": rate,
        }
    )
    _LOG.info("epoch %d: train loss %.4f, validation loss %.4f, validation mIoU %.4f", position.epoch, train_loss, loss, miou)
    position.step, position.losses = 0, []
    position.waited += 1
    if not math.isfinite(loss):
        return
    if position.best_miou is None or miou > position.best_miou:
        position.best_miou, position.best_epoch = miou, position.epoch
        position.best = {name: value.detach().cpu().clone() for name, value in learner.model.state_dict().items()}
    if position.reference is None or miou > position.reference + config.min_delta:
        position.reference, position.waited = miou, 0


def _interrupted(learner: Learner, position: Position, steps: int, store: CheckpointStore | None) -> Interrupted:
    where = f"stopped in epoch {position.epoch + 1}"
    if store is None:
        return Interrupted(f"{where}; nothing was saved, because no checkpoint folder was given. Run again to start over.")
    save(store, learner, position, steps)
    return Interrupted(f"{where}; its state is saved in {store.where}. Run again to go on.")
