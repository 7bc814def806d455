"""From the pictures' counts to the figures of the whole test set."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from patina.core.confusion import all_clean, f1, frequency_weighted_iou, iou, mean_iou, pixel_accuracy, precision, recall
from patina.core.evaluation import ClassScore, EvaluationSummary, MaterialScore, number
from patina.core.model_card import ModelCard
from patina.core.raw import RawRow
from patina.evaluate.scoring import PictureScores, no_calibration


def class_scores(counts: NDArray[np.int64], boundary: NDArray[np.float64], names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Scores of each class.

    Args:
        counts: int64 [N, C, C] per picture.
        boundary: float64 [N, C] boundary F1 per picture, NaN where undefined.
        names: of the C classes.
    """
    pooled = counts.sum(0)
    judged = ~np.isnan(boundary)
    columns = zip(
        names,
        pooled.sum(1).tolist(),
        pooled.sum(0).tolist(),
        (counts.sum(2) > 0).sum(0).tolist(),
        *(map(number, score(pooled).tolist()) for score in (iou, f1, recall, precision)),
        np.where(judged, boundary, 0).sum(0).tolist(),
        judged.sum(0).tolist(),
        strict=True,
    )
    return tuple(
        ClassScore(
            name=name,
            truth_pixels=truth,
            predicted_pixels=predicted,
            pictures=pictures,
            iou=overlap,
            f1=balance,
            recall=found,
            precision=right,
            boundary_f1=total / outlines if outlines else None,
        )
        for name, truth, predicted, pictures, overlap, balance, found, right, total, outlines in columns
    )


def material_scores(counts: NDArray[np.int64], materials: list[str]) -> tuple[MaterialScore, ...]:
    """Dataset mIoU of each material's pictures, by name; `counts` int64 [N, C, C], `materials` of the N pictures."""
    which = np.asarray(materials)
    return tuple(
        MaterialScore(material=name, pictures=int((which == name).sum()), miou=number(mean_iou(counts[which == name].sum(0))))
        for name in sorted(set(materials))
    )


def choose_examples(truth_pixels: NDArray[np.int64], ids: list[str], limit: int) -> list[str]:
    """Up to `limit` pictures that show as many kinds of damage as possible; chosen by the truth alone.

    Greedy cover: each next picture adds the most kinds not yet shown, then has the most kinds, then the smaller id.

    Args:
        truth_pixels: int64 [N, C] labelled pixels per picture and class; class 0 is Clean.
        ids: of the N pictures.
        limit: how many.
    """
    kinds = truth_pixels[:, 1:] > 0
    shown = np.zeros(kinds.shape[1], bool)
    left = [index for index in np.argsort(ids).tolist() if truth_pixels[index].sum() > 0]
    chosen: list[str] = []
    while left and len(chosen) < limit:
        best = max(left, key=lambda index: (int((kinds[index] & ~shown).sum()), int(kinds[index].sum())))
        shown |= kinds[best]
        chosen.append(ids[best])
        left.remove(best)
    return chosen


class Tally:
    """The pictures judged so far.

    Args:
        classes: C.
        bins: confidence bins.
    """

    def __init__(self, classes: int, bins: int) -> None:
        self.calibration = no_calibration(bins)
        self._rows: list[dict[str, Any]] = []
        self._scores: list[dict[str, Any]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._boundaries: list[NDArray[np.float64]] = []
        self._pooled = np.zeros((classes, classes), np.int64)

    def add(self, row: RawRow, scores: PictureScores) -> None:
        """Adds one picture."""
        self._rows.append({name: getattr(row, name) for name in ("id", "material", "content", "width", "height")})
        self._counts.append(scores.counts)
        self._boundaries.append(scores.boundary)
        self._pooled += scores.counts
        self.calibration += scores.calibration
        self._scores.append(
            {
                "id": row.id,
                "labelled_pixels": int(scores.counts.sum()),
                "miou": mean_iou(scores.counts),
                "pixel_accuracy": pixel_accuracy(scores.counts),
                "boundary_f1": mean_of(scores.boundary[1:]),
                "calibration_error": scores.calibration.error(),
                "class_boundary_f1": scores.boundary,
                "bin_pixels": scores.calibration.pixels,
                "bin_correct": scores.calibration.correct,
                "bin_confidence": scores.calibration.confidence,
            }
        )

    def pooled(self) -> NDArray[np.int64]:
        """Confusion counts of all pictures together, int64 [C, C]."""
        return self._pooled.copy()

    def counts(self) -> NDArray[np.int64]:
        """Confusion counts per picture, int64 [N, C, C]."""
        return np.stack(self._counts)

    def table(self) -> pd.DataFrame:
        """One row per picture: id, material, content, width, height."""
        return pd.DataFrame(self._rows)

    def scores(self) -> pd.DataFrame:
        """One row per picture: id, labelled_pixels, then the scores; NaN where undefined.

        `boundary_f1` is the mean over the damage classes with an outline in the truth, `class_boundary_f1` has all classes.
        """
        return pd.DataFrame(self._scores)

    def summary(self, card: ModelCard, examples: int) -> EvaluationSummary:
        """The figures of the whole test set for the model of `card`, and the choice of up to `examples` pictures to show."""
        pooled, counts, table = self._pooled, self.counts(), self.table()
        ids = table["id"].to_list()
        return EvaluationSummary(
            architecture=card.architecture,
            encoder=card.encoder,
            decoder=card.decoder,
            parameters=card.parameters,
            view=card.view,
            class_names=tuple(card.classes),
            pictures=len(ids),
            unlabelled=tuple(name for name, total in zip(ids, counts.sum((1, 2)).tolist(), strict=True) if total == 0),
            pixels=sum(row["width"] * row["height"] for row in self._rows),
            miou=number(mean_iou(pooled)),
            clean_miou=number(mean_iou(all_clean(pooled))),
            pixel_accuracy=number(pixel_accuracy(pooled)),
            frequency_weighted_iou=number(frequency_weighted_iou(pooled)),
            mean_f1=number(mean_of(f1(pooled))),
            calibration_error=number(self.calibration.error()),
            classes=class_scores(counts, np.stack(self._boundaries), tuple(card.classes)),
            materials=material_scores(counts, table["material"].to_list()),
            confusion=tuple(tuple(row) for row in pooled.tolist()),
            examples=tuple(choose_examples(counts.sum(2), ids, examples)),
        )


def mean_of(values: NDArray[np.float64]) -> float:
    """Mean of the defined `values` (float64 [n]); NaN if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
