"""Figures of an evaluation: confusion matrix, IoU per class, reliability, and the best and worst pictures."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patina.core import storage
from patina.core.evaluation import EvaluationSummary
from patina.evaluate import views
from patina.evaluate.scoring import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

_INK, _PALE, _ACCENT = "#22303c", "#c9d3da", "#1f6f8b"
_ERRORS = (("right", views.RIGHT), ("wrong kind", views.WRONG_KIND), ("missed", views.MISSED), ("false alarm", views.FALSE_ALARM))


def save_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes uint8 [h, w, 3] as JPEG with full colour resolution: thin coloured lines would lose their colour otherwise."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=82, subsampling=0, optimize=True)
    storage.write_bytes(path, stream.getvalue())


def draw_confusion(path: Path, summary: EvaluationSummary) -> None:
    """Of 100 pixels of each true class, how many were given each class; only classes that occur."""
    pixels = np.array(summary.confusion, np.float64)
    shares = 100 * pixels / np.maximum(1, pixels.sum(1, keepdims=True))
    rows = [index for index, score in enumerate(summary.classes) if score.truth_pixels]
    columns = [index for index, score in enumerate(summary.classes) if score.truth_pixels or score.predicted_pixels]
    figure = _figure(2.4 + 0.52 * len(columns), 1.9 + 0.42 * len(rows))
    axes = figure.add_subplot()
    axes.imshow(np.sqrt(shares[np.ix_(rows, columns)]), cmap="Blues", vmin=0, vmax=12, aspect="auto")
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if shares[row, column] >= 0.5:
                color = "white" if shares[row, column] > 45 else _INK
                axes.text(x, y, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(columns)), [summary.class_names[index] for index in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [summary.class_names[index] for index in rows])
    axes.set_xlabel("predicted as")
    axes.set_ylabel("truth")
    axes.set_title("Of 100 pixels of each true class", fontsize=10, loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _save(path, figure)


def draw_class_scores(path: Path, summary: EvaluationSummary) -> None:
    """IoU of each class in the truth as bars, with recall and precision as marks."""
    present = [score for score in summary.classes if score.iou is not None]
    figure = _figure(7.2, 1.3 + 0.34 * max(1, len(present)))
    axes = figure.add_subplot()
    places = np.arange(len(present))
    axes.barh(places, [100 * (score.iou or 0) for score in present], color=_ACCENT, height=0.6, label="IoU")
    axes.plot([100 * (score.recall or 0) for score in present], places, "|", color=_INK, markersize=11, label="recall (found)")
    judged = [(100 * score.precision, place) for score, place in zip(present, places, strict=True) if score.precision is not None]
    if judged:
        axes.plot(*zip(*judged, strict=True), "x", color="#b4552d", markersize=6, label="precision (right)")
    axes.set_yticks(places, [f"{score.name} ({score.pictures})" for score in present])
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.set_xlabel("per cent; in brackets: pictures that show the class")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    _save(path, figure)


def draw_reliability(path: Path, calibration: Calibration, error: float) -> None:
    """Accuracy against confidence; on the diagonal a confidence of 80 % is right in 80 % of the pixels."""
    figure = _figure(4.2, 3.6)
    axes = figure.add_subplot()
    filled = calibration.pixels > 0
    pixels = calibration.pixels[filled]
    axes.plot([0, 100], [0, 100], "--", color=_PALE)
    confidence, accuracy = (100 * part[filled] / pixels for part in (calibration.confidence, calibration.correct))
    axes.plot(confidence, accuracy, "-", color=_ACCENT, linewidth=1)
    axes.scatter(confidence, accuracy, s=12 + 160 * np.sqrt(pixels / max(1, pixels.sum())), color=_ACCENT, alpha=0.85)
    axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="confidence, %", ylabel="right, %")
    axes.set_title(f"Calibration error {100 * error:.1f} points", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    _save(path, figure)


def draw_strips(path: Path, rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]]) -> None:
    """One line per picture: caption, input, truth, prediction, errors (uint8 [h, w, 3] each)."""
    figure = _figure(10, 0.6 + 2.35 * len(rows))
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for line, (caption, parts) in zip(grid, rows, strict=True):
        for axes, part in zip(line, parts, strict=True):
            axes.imshow(part)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        line[0].set_title(caption, fontsize=8, loc="left")
    for axes, title in zip(grid[0][1:], ("truth", "prediction", "errors"), strict=True):
        axes.set_title(title, fontsize=9)
    figure.legend(handles=_error_handles(), loc="outside lower right", ncols=4, frameon=False, fontsize=8)
    _save(path, figure)


def _error_handles() -> "list[Patch]":
    from matplotlib.patches import Patch

    return [Patch(color=(red / 255, green / 255, blue / 255), label=label) for label, (red, green, blue) in _ERRORS]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _save(path: Path, figure: "Figure") -> None:
    stream = io.BytesIO()
    if path.suffix == ".jpg":
        figure.savefig(stream, format="jpg", pil_kwargs={"quality": 82, "subsampling": 0})
    else:
        figure.savefig(stream, format="png", metadata={"Software": None})
    storage.write_bytes(path, stream.getvalue())
