"""Does the best model of a finished run beat "everything is Clean" and colour alone?

Fits scikit-learn's histogram gradient boosting on the RGB values of single pixels from the very tiles that the models were
trained on, applies it to the run's test pictures at their own resolution, and compares mIoU by paired bootstrap over groups.

    uv run python tests/benchmarks/baselines.py RUN [--pixels-per-class 4000] [--replicates 2000]
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from patina.core.confusion import all_clean, confusion, mean_iou, mean_ious
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import iter_rows
from patina.core.taxonomy import IGNORE, NUM_CLASSES
from patina.core.tiles import open_tiles


def colour_classifier(run: Path, per_class: int, seed: int) -> tuple[HistGradientBoostingClassifier, NDArray[np.float64]]:
    """Fits class posteriors on RGB; returns the classifier and the class priors that its balanced sample must be weighted with."""
    tiles = open_tiles(run / "artifacts" / "augment" / "tiles")
    rows = np.flatnonzero((tiles.table["split"] == "train").to_numpy() & (tiles.table["level"] == "original").to_numpy())
    rng = np.random.default_rng(seed)
    colours, labels = tiles.images[rows].reshape(-1, 3), tiles.masks[rows].reshape(-1)
    priors = np.bincount(labels, minlength=256)[:NUM_CLASSES].astype(float)
    chosen = []
    for value in np.flatnonzero(priors):
        places = np.flatnonzero(labels == value)
        chosen.append(rng.choice(places, min(per_class, places.size), replace=False))
    picked = np.concatenate(chosen)
    classifier = HistGradientBoostingClassifier(max_iter=60, random_state=seed).fit(colours[picked], labels[picked])
    return classifier, priors / priors.sum()


def predict(
    classifier: HistGradientBoostingClassifier, priors: NDArray[np.float64], picture: NDArray[np.uint8], power: float
) -> NDArray[np.uint8]:
    """Class per pixel; `power` 1 weighs posteriors with the true priors, 0 leaves them balanced."""
    levels = picture.reshape(-1, 3) // 4 * 4 + 2  # 64 levels per channel: each distinct colour is classified once
    distinct, where = np.unique(levels, axis=0, return_inverse=True)
    scores = classifier.predict_proba(distinct) * priors[classifier.classes_] ** power
    return classifier.classes_[scores.argmax(1)].astype(np.uint8)[where.reshape(-1)].reshape(picture.shape[:2])


def main() -> None:
    """Prints mIoU of the best model and of both baselines, and the paired gains with 95 % intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pixels-per-class", type=int, default=4000)
    parser.add_argument("--replicates", type=int, default=2000)
    arguments = parser.parse_args()
    run: Path = arguments.run

    models = {}
    for folder in sorted((run / "artifacts").glob("evaluate-*")):
        table = pq.read_table(folder / "evaluation" / "confusion.parquet", columns=["id", "counts"]).to_pydict()
        models[folder.name.removeprefix("evaluate-")] = {
            name: np.array(counts, np.int64).reshape(NUM_CLASSES, NUM_CLASSES)
            for name, counts in zip(table["id"], table["counts"], strict=True)
        }
    best = max(models, key=lambda name: mean_iou(sum(models[name].values())))
    ids = sorted(models[best])
    scored = {best: np.stack([models[best][name] for name in ids])}
    scored["all Clean"] = all_clean(scored[best])

    classifier, priors = colour_classifier(run, arguments.pixels_per_class, seed=0)
    variants = {f"colour only (priors^{power})": power for power in (0.0, 0.5, 1.0)}
    counts: dict[str, dict[str, NDArray[np.int64]]] = {variant: {} for variant in variants}
    for row in iter_rows(run / "artifacts" / "split" / "test_images"):
        picture, truth = decode_picture(row.image), decode_mask(row.annotation)
        for variant, power in variants.items():
            counts[variant][row.id] = confusion(truth, predict(classifier, priors, picture, power), NUM_CLASSES)
    scored |= {variant: np.stack([counts[variant][name] for name in ids]) for variant in variants}

    splits = pq.read_table(run / "artifacts" / "split" / "splits" / "splits.parquet", columns=["id", "group"]).to_pydict()
    group_of = dict(zip(splits["id"], splits["group"], strict=True))
    groups = sorted({group_of[name] for name in ids})
    member = np.array([[group_of[name] == group for name in ids] for group in groups], np.int64)
    draws = np.random.default_rng(0).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=arguments.replicates) @ member
    replicates = {name: mean_ious(np.tensordot(draws, stack, axes=1)) for name, stack in scored.items()}

    print(f"{len(ids)} test pictures, {len(groups)} groups, ignore value {IGNORE}")  # noqa: T201 - a script's output
    for name, stack in scored.items():
        gain = replicates[best] - replicates[name]
        low, high = np.percentile(gain, [2.5, 97.5])
        line = f"{name:<28} mIoU {100 * mean_iou(stack.sum(0)):5.1f} %"
        if name != best:
            difference = mean_iou(scored[best].sum(0)) - mean_iou(stack.sum(0))
            line += f"   gain of {best}: {100 * difference:.1f} points ({100 * low:.1f} .. {100 * high:.1f})"
        print(line)  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
