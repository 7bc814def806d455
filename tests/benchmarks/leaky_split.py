"""What a leaking split does to the reported score: the predecessor's order (augment, then split) against splitting first.

Cuts all pictures of a finished run into tiles by the run's own settings and gives each tile one lightly changed copy. Then the same
tiles are divided twice: by tile, so that windows and copies of one picture fall on both sides, and by picture. Both trainings have
the run's settings and report the best mIoU over their own validation tiles, as the predecessor did. Two differences come out:
from the run's test score to the division by tile, which is what the predecessor's way of working does to the reported figure, and
between the two divisions, which is the leak alone. The leak check looks at both divisions.

    uv run python tests/benchmarks/leaky_split.py RUN FOLDER [--architecture unet-resnet10t] [--epochs 24] [--windows 12] [--by tile]
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from patina.augment.stage import run as augment
from patina.class_weights.stage import run as weigh
from patina.core import artifact
from patina.core.session import Session
from patina.core.tiles import SCHEMA, open_tiles
from patina.likeness.leaks import check_leaks
from patina.likeness.sets import open_set
from patina.split.stage import run as split
from patina.train.stage import run as train
from patina_pipelines import runs

FOLDS = 5


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        architecture: what is trained.
        epochs: how long.
        asked: parameters of the run that lends its settings.
    """

    architecture: str
    epochs: int
    asked: dict[str, Any]


def cut_all(raw: Path, folder: Path, asked: dict[str, Any], windows: int | None, progress: Session) -> None:
    """Tiles of all pictures with their folds, and class weights, into `folder`."""
    settings = json.loads(asked["augment_settings"])
    settings |= {
        "folds": "all",
        "windows_per_picture": settings["windows_per_picture"] // 2,
        "copies": {"light": 1, "medium": 0, "heavy": 0},
    }
    division = json.dumps({"protocol": "kfold", "folds": FOLDS})
    split(raw, folder / "splits", folder / "test", folder / "balance.html", seed=asked["seed"], settings=division, progress=progress)
    augment(
        raw,
        folder / "splits",
        folder / "pool",
        tile_size=asked["tile_size"],
        seed=asked["seed"],
        settings=json.dumps(settings),
        progress=progress,
    )
    weigh(raw, folder / "splits", folder / "weights", folder / "weights.html", progress=progress)


def divided(pool: Path, folder: Path, by: str, seed: int) -> None:
    """The training tiles of `pool` as a `tiles` artifact of which a fifth validates, drawn by tile or by picture."""
    opened = open_tiles(pool)
    table = opened.table[opened.table["split"] == "train"]
    rows = table["tile"].to_numpy()
    held = np.random.default_rng(seed).random(len(rows)) < 1 / FOLDS if by == "tile" else table["fold"].to_numpy() == 0
    table = table.assign(tile=range(len(rows)), split=np.where(held, "val", "train"), fold=-1)
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", opened.images[rows])
    np.save(folder / "masks.npy", opened.masks[rows])
    pq.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False), folder / "tiles.parquet")
    (folder / "geometry.json").write_bytes((pool / "geometry.json").read_bytes())
    artifact.seal(folder, "tiles", inputs={}, config={"divided by": by}, image="experiment")


def score(tiles: Path, weights: Path, trial: Trial, progress: Session) -> float:
    """Best validation mIoU of a training on `tiles`, 0..1."""
    _, summary = train(
        tiles,
        weights,
        tiles.with_name(f"{tiles.name} model"),
        architecture=trial.architecture,
        recipe=trial.asked["recipe"],
        epochs=trial.epochs,
        seed=trial.asked["seed"],
        cpu=1,
        checkpoints="none",
        settings=trial.asked["train_settings"],
        progress=progress,
    )
    return summary["best_val_miou"]


def main() -> None:
    """Prints both scores, their difference, and what the leak check says of either division."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, help="new folder for tiles and models")
    parser.add_argument("--architecture", default="unet-resnet10t")
    parser.add_argument("--epochs", type=int, help="default: the run's")
    parser.add_argument("--windows", type=int, help="windows per picture; default: the run's")
    parser.add_argument("--by", choices=("tile", "picture"), help="one division only, to run both side by side")
    arguments = parser.parse_args()
    asked = runs.load(arguments.run).parameters
    arguments.folder.mkdir(parents=True)
    trial = Trial(arguments.architecture, arguments.epochs or asked["epochs"], asked)
    progress = Session(arguments.folder, "train", arguments.architecture)
    cut_all(arguments.run / "artifacts" / "download" / "raw", arguments.folder, asked, arguments.windows, progress)
    run_score = arguments.run / "artifacts" / f"evaluate-{arguments.architecture}" / "evaluation" / "metrics.json"
    scores = {"run": json.loads(run_score.read_text())["miou"]}
    print(f"the run reports {100 * scores['run']:.1f} % on its test pictures")  # noqa: T201 - a script's output
    for by in [arguments.by] if arguments.by else ["tile", "picture"]:
        tiles = arguments.folder / f"by {by}"
        divided(arguments.folder / "pool", tiles, by, asked["seed"])
        leaks = check_leaks(open_set(tiles, split="train"), open_set(tiles, split="val"))
        scores[by] = score(tiles, arguments.folder / "weights", trial, progress)
        print(f"divided by {by}: mIoU {100 * scores[by]:.1f} %, leak {'found' if leaks.found else 'not found'}", flush=True)  # noqa: T201 - a script's output
        for sentence in leaks.sentences():
            print(f"    {sentence}", flush=True)  # noqa: T201 - a script's output
    for start, name in (("run", "the predecessor's way raises the reported mIoU"), ("picture", "the leak alone raises it")):
        if {"tile", start} <= set(scores):
            print(f"{name} by {100 * (scores['tile'] - scores[start]):.1f} points")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
