"""The KFP face of the train stage."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from patina.core.containers import TORCH


@dsl.component(base_image=TORCH, install_kfp_package=False)
def train(
    tiles: Input[Dataset],
    weights: Input[Artifact],
    model: Output[Model],
    metrics: Output[Metrics],
    architecture: str,
    recipe: str = "standard",
    epochs: int = 50,
    seed: int = 0,
    cpu: str = "4",
    checkpoints: str = "none",
    settings: str = "{}",
):
    """Trains one architecture on packed tiles and keeps the weights of its best epoch.

    Args:
        tiles: Training and validation tiles.
        weights: Class weights for the loss.
        model: The trained model: weights, card, history of the training.
        metrics: Validation mIoU of the best epoch and what led to it.
        architecture: Encoder and decoder, for instance unet-mit_b3.
        recipe: Named training settings: standard or quick.
        epochs: Passes over the training tiles.
        seed: Source of all randomness: the same seed on the same tiles repeats the training.
        cpu: Number of CPU threads.
        checkpoints: Folder or s3://bucket/prefix that outlives the pod, where a stopped training finds its last state; none keeps no state.
        settings: JSON object of changes to the recipe by dotted key, for instance {"loss.dice": 0.5}.
    """
    from pathlib import Path

    from patina.core import storage
    from patina.core.session import session
    from patina.train.stage import run

    with session("train", model.path, label=architecture) as progress:
        manifest, summary = run(
            tiles.path,
            weights.path,
            model.path,
            architecture=architecture,
            recipe=recipe,
            epochs=epochs,
            seed=seed,
            cpu=int(cpu),
            checkpoints=checkpoints,
            settings=settings,
            progress=progress,
        )
        for name in ("best_val_miou", "best_epoch", "epochs", "parameters"):
            metrics.log_metric(name, summary[name])
        storage.write_json(Path(metrics.path), metrics.metadata)  # without a file kfp.local takes the whole task for missing
        model.metadata.update({**manifest.metadata(), "architecture": architecture, "best_val_miou": summary["best_val_miou"]})
