"""The ranking: scores, intervals, gains and differences, as `summary.json` holds them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from patina.compare.bootstrap import Resamples, interval, resample
from patina.compare.evidence import Candidate
from patina.compare.settings import CompareConfig
from patina.core.config import Config
from patina.core.confusion import all_clean, iou, mean_iou, mean_ious
from patina.core.errors import DataRefused
from patina.core.evaluation import number


class Entry(Config):
    """One model's place. Bounds are None where there are too few groups to draw from."""

    name: str
    """Architecture, with the start of the model's digest if two models share one."""
    architecture: str
    """Name of the architecture."""
    parameters: int
    """Number of weights."""
    miou: float = Field(ge=0, le=1)
    """Dataset mIoU over the classes present in the test truth."""
    low: float | None
    """Lower bound of its interval."""
    high: float | None
    """Upper bound."""
    gain_over_clean: float
    """mIoU minus that of calling every pixel Clean."""
    gain_low: float | None
    """Lower bound."""
    gain_high: float | None
    """Upper bound."""
    behind: float | None
    """mIoU of the winner minus this one; None for the winner."""
    behind_low: float | None
    """Lower bound; above 0, the winner is better on more than these pictures."""
    behind_high: float | None
    """Upper bound."""
    first_share: float | None
    """Share of the resamples in which it came first, ties shared."""
    pixel_accuracy: float | None
    """Share of labelled pixels that are right."""
    mean_f1: float | None
    """Mean F1 over the classes present."""
    calibration_error: float | None
    """Expected calibration error."""
    per_class_iou: dict[str, float | None]
    """IoU per class; None for classes that the test truth does not hold."""
    per_material_miou: dict[str, float | None]
    """mIoU over the pictures of each material."""
    model_digest: str
    """Content digest of the model."""
    evaluation_digest: str
    """Content digest of its evaluation."""


class Ranking(Config):
    """The models from best to worst."""

    entries: tuple[Entry, ...] = Field(min_length=1)
    """The best first; equal scores in the order of their names."""
    clean_miou: float
    """mIoU of calling every pixel Clean."""
    pictures: int
    """Test pictures with at least one labelled pixel."""
    groups: int
    """Groups of related pictures among them: the number of independent pieces of evidence."""
    confidence: float
    """Share of the resamples that the intervals cover."""
    replicates: int
    """Resamples."""

    @property
    def winner(self) -> Entry:
        """The best model."""
        return self.entries[0]

    @property
    def rivals(self) -> tuple[Entry, ...]:
        """The models that the winner is not shown to be better than."""
        return tuple(entry for entry in self.entries[1:] if entry.behind_low is None or entry.behind_low <= 0)

    @property
    def resolved(self) -> bool | None:
        """Whether the winner's lead over every other model is more than chance explains; None for a single model."""
        return None if len(self.entries) == 1 else not self.rivals


def rank(candidates: Sequence[Candidate], groups: NDArray[np.int64], config: CompareConfig, seed: int) -> Ranking:
    """Ranks the candidates by dataset mIoU.

    Args:
        candidates: all judged on the same pictures.
        groups: int64 [pictures], group of each.
        config: settings.
        seed: of the resampling.

    Raises:
        DataRefused: no test pixel is labelled.
    """
    counts = np.stack([candidate.evaluation.counts for candidate in candidates])
    labelled = counts[0].sum((1, 2)) > 0
    if not labelled.any():
        raise DataRefused(f"none of the {labelled.size} test pictures has a labelled pixel: nothing can be ranked. Annotate test pictures.")
    groups = np.unique(groups[labelled], return_inverse=True)[1].astype(np.int64)
    counts = counts[:, labelled]
    clean = mean_iou(all_clean(counts[0].sum(0)))
    scores = mean_ious(counts.sum(1))
    order = sorted(range(len(candidates)), key=lambda index: (-scores[index], candidates[index].name))
    independent = int(groups.max()) + 1
    draws = resample(counts, groups, config.replicates, seed) if independent >= config.least_groups else None
    return Ranking(
        entries=tuple(_entry(index, order[0], candidates[index], scores, clean, draws, config.confidence) for index in order),
        clean_miou=clean,
        pictures=int(labelled.sum()),
        groups=independent,
        confidence=config.confidence,
        replicates=config.replicates,
    )


def _entry(
    index: int, best: int, candidate: Candidate, scores: NDArray[np.float64], clean: float, draws: Resamples | None, confidence: float
) -> Entry:
    summary = candidate.evaluation.summary
    bounds = gain = behind = (None, None)
    first = None
    if draws is not None:
        bounds = interval(draws.miou[index], confidence)
        gain = interval(draws.miou[index] - draws.clean, confidence)
        behind = interval(draws.miou[best] - draws.miou[index], confidence) if index != best else behind
        leaders = draws.miou == draws.miou.max(0)
        first = float((leaders[index] / leaders.sum(0)).mean())
    class_iou = iou(candidate.evaluation.counts.sum(0)).tolist()
    return Entry(
        name=candidate.name,
        architecture=summary.architecture,
        parameters=summary.parameters,
        miou=float(scores[index]),
        low=bounds[0],
        high=bounds[1],
        gain_over_clean=float(scores[index] - clean),
        gain_low=gain[0],
        gain_high=gain[1],
        behind=None if index == best else float(scores[best] - scores[index]),
        behind_low=behind[0],
        behind_high=behind[1],
        first_share=first,
        pixel_accuracy=summary.pixel_accuracy,
        mean_f1=summary.mean_f1,
        calibration_error=summary.calibration_error,
        per_class_iou={name: number(value) for name, value in zip(summary.class_names, class_iou, strict=True)},
        per_material_miou={score.material: score.miou for score in summary.materials},
        model_digest=candidate.manifest.digest,
        evaluation_digest=candidate.evaluation.manifest.digest,
    )
