"""Does a model gain anything over "everything is Clean" when the training masks belong to other pictures? It must not.

Takes the tiles of a finished run, gives every training tile the mask of another training tile, trains one architecture with the
run's own settings and scores it on the run's test pictures.

    uv run python tests/benchmarks/shuffled_masks.py RUN FOLDER [--architecture unet-mit_b0]
"""

import argparse
import json
from pathlib import Path

import numpy as np

from patina.core import artifact
from patina.core.session import Session
from patina.core.tiles import open_tiles
from patina.evaluate.stage import run as evaluate
from patina.train.stage import run as train
from patina_pipelines import runs


def shuffled(tiles: Path, folder: Path, seed: int) -> None:
    """Writes a copy of the `tiles` artifact into `folder` in which the training masks are permuted."""
    opened = open_tiles(tiles)
    rows, masks = opened.rows("train"), np.array(opened.masks)
    masks[rows] = masks[np.random.default_rng(seed).permutation(rows)]
    folder.mkdir(parents=True)
    for name in ("images.npy", "tiles.parquet", "geometry.json"):
        (folder / name).write_bytes((tiles / name).read_bytes())
    np.save(folder / "masks.npy", masks)
    manifest = artifact.read_manifest(tiles)
    artifact.seal(
        folder, "tiles", inputs=manifest.inputs, config={**manifest.config, "masks": f"shuffled, seed {seed}"}, image="experiment"
    )


def main() -> None:
    """Prints the dataset mIoU of the model trained on shuffled masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, help="new folder for the tiles, the model and its evaluation")
    parser.add_argument("--architecture", default="unet-mit_b0")
    arguments = parser.parse_args()
    made, asked = arguments.run / "artifacts", runs.load(arguments.run).parameters
    shuffled(made / "augment" / "tiles", arguments.folder / "tiles", seed=0)
    progress = Session(arguments.folder, "train", arguments.architecture)
    train(
        arguments.folder / "tiles",
        made / "class_weights" / "weights",
        arguments.folder / "model",
        architecture=arguments.architecture,
        recipe=asked["recipe"],
        epochs=asked["epochs"],
        seed=asked["seed"],
        cpu=1,
        checkpoints="none",
        settings=asked["train_settings"],
        progress=progress,
    )
    _, summary = evaluate(
        arguments.folder / "model",
        made / "split" / "test_images",
        arguments.folder / "evaluation",
        arguments.folder / "figures.html",
        1,
        "{}",
        progress,
    )
    honest = json.loads((made / f"evaluate-{arguments.architecture}" / "evaluation" / "metrics.json").read_text())
    print(f"shuffled masks: {summary.headline()}")  # noqa: T201 - a script's output
    print(f"honest masks:   mIoU {honest['miou']:.4f}")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
