# pyright: standard
# (pandas ships no types that strict could read)
"""The `evaluation` artifact: what evaluate writes and compare reads.

Files: `metrics.json` (an `EvaluationSummary`), `confusion.parquet` (one row per picture: id, material, content, width, height,
counts), `scores.parquet`, `predictions/<id>.png`, `figures/`, `figures/examples/<id>-{input,truth,prediction}.jpg`, `facts.json`.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from patina.core import artifact, config, storage
from patina.core.errors import DataRefused

if TYPE_CHECKING:
    import pandas as pd

METRICS = "metrics.json"
CONFUSION = "confusion.parquet"
SCORES = "scores.parquet"
FACTS = "facts.json"
PREDICTIONS = "predictions"
EXAMPLES = "figures/examples"


class ClassScore(config.Config):
    """Scores of one class over the whole test set; None where undefined."""

    name: str
    """Name of the class."""
    truth_pixels: int = Field(ge=0)
    """Labelled pixels of the class."""
    predicted_pixels: int = Field(ge=0)
    """Labelled pixels that the model gave the class."""
    pictures: int = Field(ge=0)
    """Test pictures whose truth holds the class."""
    iou: float | None
    """Intersection over union, 0..1; None if the truth does not hold the class."""
    f1: float | None
    """F1 score, likewise."""
    recall: float | None
    """Share of the class that was found, likewise."""
    precision: float | None
    """Share of the predicted class that is right; None if it was never predicted."""
    boundary_f1: float | None
    """Mean boundary F1 over the pictures with an outline of the class."""


class MaterialScore(config.Config):
    """Score over the pictures of one material."""

    material: str
    """Name of the material."""
    pictures: int = Field(ge=0)
    """Test pictures of the material."""
    miou: float | None
    """Dataset mIoU over the classes present in these pictures' truth; None without a labelled pixel."""


class EvaluationSummary(config.Config):
    """What `metrics.json` holds."""

    architecture: str
    """Name of the architecture."""
    encoder: str
    """Name of the encoder."""
    decoder: str
    """Name of the decoder."""
    parameters: int = Field(ge=0)
    """Trainable parameters."""
    view: str
    """View of the taxonomy that the model speaks; different views are never ranked together."""
    class_names: tuple[str, ...]
    """Names of the classes in the order of their ids."""
    pictures: int = Field(ge=1)
    """Test pictures."""
    unlabelled: tuple[str, ...]
    """Ids of the test pictures without a labelled pixel: kept, with zero counts."""
    pixels: int = Field(ge=0)
    """Pixels of all test pictures."""
    miou: float | None
    """Dataset mIoU over the classes present in the truth, 0..1: the primary metric."""
    clean_miou: float | None
    """The same for a model that calls every pixel Clean."""
    pixel_accuracy: float | None
    """Share of labelled pixels that are right, 0..1."""
    frequency_weighted_iou: float | None
    """IoU weighted by each class's share of the truth, 0..1."""
    mean_f1: float | None
    """Mean F1 over the classes present in the truth, 0..1."""
    calibration_error: float | None
    """Expected calibration error, 0..1: by how much the model's confidence misses its accuracy."""
    classes: tuple[ClassScore, ...]
    """Per class."""
    materials: tuple[MaterialScore, ...]
    """Per material."""
    confusion: tuple[tuple[int, ...], ...]
    """Labelled pixels, row = truth, column = prediction, added up over all pictures."""
    examples: tuple[str, ...]
    """Ids of the pictures shown under `figures/examples`; the same for every model on the same test pictures."""

    def headline(self) -> dict[str, float]:
        """The figures for the user interface; undefined ones are left out."""
        names = ("miou", "clean_miou", "pixel_accuracy", "frequency_weighted_iou", "mean_f1", "calibration_error")
        figures = {name: getattr(self, name) for name in names}
        return {name: value for name, value in figures.items() if value is not None}

    def row_percent(self) -> list[list[int]]:
        """`confusion` as whole percentages of each true class; the row of a class without truth is zero."""
        return [[round(100 * value / max(1, sum(row))) for value in row] for row in self.confusion]


@dataclass(frozen=True)
class Evaluation:
    """An opened evaluation.

    Attributes:
        folder: of the artifact.
        manifest: checked.
        summary: content of `metrics.json`.
        table: one row per test picture in the order of `counts`: id, material, content, width, height.
        counts: int64 [pictures, C, C], row = truth, column = prediction.
    """

    folder: Path
    manifest: artifact.Manifest
    summary: EvaluationSummary
    table: "pd.DataFrame"
    counts: NDArray[np.int64]

    def example(self, picture: str, part: str) -> Path:
        """JPEG view of a picture in `summary.examples`; `part` is `input`, `truth` or `prediction`."""
        return self.folder / EXAMPLES / f"{picture}-{part}.jpg"


def number(value: float) -> float | None:
    """A float for JSON: None for NaN."""
    return None if math.isnan(value) else float(value)


def write_summary(folder: Path, summary: EvaluationSummary) -> None:
    """Writes `metrics.json`."""
    storage.write_json(folder / METRICS, json.loads(summary.model_dump_json()))


def write_confusion(folder: Path, table: "pd.DataFrame", counts: NDArray[np.int64]) -> None:
    """Writes `confusion.parquet`: the columns of `table` and `counts` (int64 [N, C, C]) as lists of C x C numbers, row by row."""
    flat = counts.reshape(len(counts), -1)
    with storage.atomic_file(folder / CONFUSION) as stream:
        table.assign(counts=list(flat)).to_parquet(stream, index=False)


def read_evaluation(folder: Path) -> Evaluation:
    """Opens and checks the evaluation in `folder`.

    Raises:
        DataRefused: broken artifact, or counts that do not fit the summary.
    """
    import pandas as pd

    manifest = artifact.open_artifact(folder, "evaluation")
    summary = config.parse(EvaluationSummary, (folder / METRICS).read_text(encoding="utf-8"), f"{folder / METRICS}")
    table = pd.read_parquet(folder / CONFUSION)
    classes = len(summary.class_names)
    if len(table) != summary.pictures or any(len(row) != classes**2 for row in table["counts"]):
        raise DataRefused(
            f"{folder / CONFUSION} has {len(table)} rows, expected {summary.pictures} with {classes}x{classes} counts each. Evaluate again."
        )
    counts = np.stack(table["counts"].to_list()).astype(np.int64).reshape(-1, classes, classes)
    if (counts < 0).any() or counts.sum(0).tolist() != [list(row) for row in summary.confusion]:
        raise DataRefused(f"{folder / CONFUSION} does not add up to the confusion of {METRICS}. Evaluate again.")
    return Evaluation(folder, manifest, summary, table.drop(columns="counts"), counts)
