"""The train stage: tiles and class weights in, one model artifact out."""

import json
import os
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import torch
from safetensors.torch import save as serialized

from patina import __version__
from patina.core import provenance, storage
from patina.core.artifact import Manifest, read_manifest, seal
from patina.core.config import override
from patina.core.containers import TORCH
from patina.core.errors import DataRefused, UsageError
from patina.core.model_card import CARD, WEIGHTS, ModelCard
from patina.core.session import Session
from patina.core.taxonomy import CLASS_NAMES, IGNORE
from patina.core.tiles import Tiles, open_tiles
from patina.core.weights import read_weights
from patina.models.architectures import facts, parse_architecture
from patina.models.network import build
from patina.train.batches import Batches
from patina.train.checkpoints import open_store
from patina.train.learner import Learner
from patina.train.loop import Position, best_weights, fit
from patina.train.losses import SegmentationLoss, limited
from patina.train.recipes import recipe as named_recipe
from patina.train.settings import TrainConfig
from patina.train.turns import lease


def run(
    tiles: str | Path,
    weights: str | Path,
    model: str | Path,
    *,
    architecture: str,
    recipe: str,
    epochs: int,
    seed: int,
    cpu: int,
    checkpoints: str,
    settings: str,
    progress: Session,
) -> tuple[Manifest, dict[str, Any]]:
    """Trains `architecture` and seals the result in the folder `model`.

    Args:
        tiles: a `tiles` artifact.
        weights: a `weights` artifact.
        model: folder of the output.
        architecture: one of `patina.models.architectures.ARCHITECTURES`.
        recipe: name of a recipe.
        epochs: passes over the training tiles, at least 1.
        seed: source of all randomness, not negative; with the same number of threads a CPU repeats a training bit by bit.
        cpu: number of CPU threads.
        checkpoints: folder or `s3://bucket/prefix` that outlives the process, or "none".
        settings: JSON object of changes to the recipe, by dotted key.
        progress: is told how far the training has come.

    Returns:
        The manifest, and the content of `summary.json`.

    Raises:
        UsageError, DataRefused, StorageError, StageFailed, Interrupted: as the parts of the stage say.
    """
    began = time.monotonic()
    name, config, folder = parse_architecture(architecture), configured(recipe, settings), Path(model)
    if epochs < 1 or seed < 0 or cpu < 1:
        raise UsageError(f"epochs={epochs}, seed={seed}, cpu={cpu}: expected epochs >= 1, seed >= 0 and cpu >= 1.")
    opened, inputs = _opened(Path(tiles), Path(weights), config.fold)
    device = _device(cpu)
    torch.manual_seed(seed)
    if config.pretrained == "imagenet" and (mirror := os.environ.get("PATINA_MIRROR")):  # says where, never what
        from huggingface_hub.constants import HF_HUB_CACHE

        from patina.core.bucket_index import fetch_encoders

        fetch_encoders(mirror, Path(HF_HUB_CACHE))
    network = build(name, tile_size=opened.geometry.tile_size, decoder_channels=config.decoder_channels, pretrained=config.pretrained)
    chosen = read_weights(Path(weights), config.loss.class_weights, config.loss.counted)
    class_weights = limited(torch.from_numpy(chosen), config.loss.max_ratio)
    criterion = SegmentationLoss(config.loss, class_weights)
    card = ModelCard(
        architecture=name,
        decoder="unet",
        decoder_channels=config.decoder_channels,
        encoder=facts(name).encoder,
        view="full",
        classes=CLASS_NAMES,
        mean=facts(name).mean,
        std=facts(name).std,
        tile_size=opened.geometry.tile_size,
        geometry=opened.geometry,
        recipe=recipe,
        config=json.loads(config.model_dump_json()),
        epochs=epochs,
        seed=seed,
        parameters=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
    )
    learned, validated = (opened.rows(split, config.fold) for split in ("train", "val"))
    batches = Batches(opened.images, opened.masks, learned, validated, card.mean, card.std, config.batch_size, device)
    opening = nullcontext() if checkpoints == "none" else open_store(checkpoints, _identity(card, config, inputs))

    def report(position: Position, seconds_left: float | None) -> None:
        miou = position.history[-1]["val_miou"] if position.history else None
        progress.report(position.epoch, epochs, "epochs", miou, seconds_left)

    with opening as store:
        with lease(_lock_name(device)):
            network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] # its stub lacks this
            learner = Learner(network, criterion.to(device), config.optimizer, device, config.batch_size)
            position = fit(learner, batches, config, epochs=epochs, seed=seed, store=store, report=report)
        summary = _write(folder, card, position, batches)
        storage.write_json(folder / "facts.json", _facts(learner, position, batches, time.monotonic() - began))
        manifest = seal(folder, "model", inputs=inputs, config=card.model_dump(mode="json"), image=TORCH)
        if store is not None:
            store.clear()
    return manifest, summary


def configured(recipe: str, settings: str) -> TrainConfig:
    """The recipe called `recipe` with the JSON object `settings` of dotted changes applied.

    Raises:
        UsageError: no such recipe, not a JSON object, or a key or value that the configuration does not know.
    """
    try:
        changes = json.loads(settings)
    except ValueError as error:
        raise UsageError(f"train settings: not JSON ({error}), got {settings!r:.80}.") from error
    if not isinstance(changes, dict):
        raise UsageError(f'train settings: expected a JSON object such as {{"loss.dice": 0.5}}, got {settings!r:.80}.')
    return override(named_recipe(recipe), changes, "train settings")


def _opened(tiles: Path, weights: Path, fold: int | None) -> tuple[Tiles, dict[str, str]]:
    """The tiles, checked for something to learn from and something to validate on; and the inputs' digests."""
    opened = open_tiles(tiles)
    for split in ("train", "val"):
        rows = opened.rows(split, fold)
        if not any((opened.masks[row] != IGNORE).any() for row in rows):
            raise DataRefused(
                f"tiles artifact {tiles}: the {len(rows)} tiles of {split!r} hold no labelled pixel. "
                "Give the split stage more pictures, or another share for this part."
            )
    return opened, {"tiles": opened.manifest.digest, "weights": read_manifest(weights).digest}


def _device(cpu: int) -> torch.device:
    torch.set_num_threads(cpu)
    cv2.setNumThreads(1)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = True  # every step has the same shapes
    return torch.device("cuda", torch.cuda.current_device())


def _lock_name(device: torch.device) -> str:
    """A GPU's UUID: the same for all processes, whatever CUDA_VISIBLE_DEVICES shows them. CPU trainings do not wait for each other."""
    if device.type == "cuda":
        return f"gpu-{torch.cuda.get_device_properties(device).uuid}"
    return f"cpu-{os.getpid()}"


def _identity(card: ModelCard, config: TrainConfig, inputs: dict[str, str]) -> dict[str, Any]:
    """What decides the course of the training: a state of another identity must not be taken for one of this."""
    return {
        **inputs,
        "architecture": card.architecture,
        "config": config.model_dump(mode="json", exclude={"checkpoint_seconds"}),
        "epochs": card.epochs,
        "seed": card.seed,
        "version": __version__,
        "torch": torch.__version__,
    }


def _write(folder: Path, card: ModelCard, position: Position, batches: Batches) -> dict[str, Any]:
    """Writes the payload: the best epoch's weights, the card, the history and the summary."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    storage.write_bytes(folder / WEIGHTS, serialized({name: value.contiguous() for name, value in best_weights(position).items()}))
    storage.write_json(folder / CARD, card.model_dump(mode="json"))
    with storage.atomic_file(folder / "history.parquet") as stream:
        pd.DataFrame(position.history).to_parquet(stream, index=False)
    summary = {
        "architecture": card.architecture,
        "parameters": card.parameters,
        "best_epoch": position.best_epoch,
        "best_val_miou": position.best_miou,
        "epochs": position.epoch,
        "stopped_early": position.epoch < card.epochs,
        "skipped_steps": position.skipped,
        "train_tiles": len(batches.train),
        "val_tiles": len(batches.validation),
    }
    storage.write_json(folder / "summary.json", summary)
    return summary


def _facts(learner: Learner, position: Position, batches: Batches, seconds: float) -> dict[str, Any]:
    device = learner.device
    on_gpu = device.type == "cuda"
    return {
        "seconds": round(seconds, 3),
        "training_seconds": round(position.seconds, 3),
        "tiles_per_second": round(position.epoch * len(batches.train) / position.seconds, 3),
        "starts": position.starts,
        "device": torch.cuda.get_device_name(device) if on_gpu else f"CPU, {torch.get_num_threads()} threads",
        "micro_batch": learner.micro_batch,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "peak_gpu_bytes": torch.cuda.max_memory_allocated(device) if on_gpu else 0,
        "host": provenance.host_facts(),
    }
