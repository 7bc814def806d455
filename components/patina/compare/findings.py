"""All that a reader is told: the ranking, its meaning, its limits, and where the pictures come from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from patina.compare.apart import void
from patina.compare.conclusion import conclude, headline, is_generated, warn
from patina.compare.evidence import Candidate
from patina.compare.ranking import Ranking
from patina.compare.settings import CompareConfig
from patina.core import storage
from patina.core.evaluation import EvaluationSummary
from patina.core.splits import read_splits
from patina.likeness.leaks import LeakReport

BALANCE = "balance.json"


@dataclass(frozen=True)
class Origin:
    """Where the pictures come from, as the split stage passed it on.

    Attributes:
        source: folder, hub id and revision, or `generated sample`.
        licence: of the data.
        citation: what a publication must name; may be empty.
        quarantined: pictures set aside before the division.
    """

    source: str
    licence: str
    citation: str
    quarantined: int


@dataclass(frozen=True)
class Findings:
    """What the comparison found.

    Attributes:
        ranking: models from best to worst.
        candidates: in the order of the ranking.
        headline: one line.
        void: why the figures compare nothing; empty unless a leak was found.
        conclusion: two to four sentences, `void` before them.
        warnings: what limits the conclusion.
        splits: table of `splits.parquet`.
        origin: of the pictures.
        leaks: whether the test pictures stand apart from the tiles.
    """

    ranking: Ranking
    candidates: Sequence[Candidate]
    headline: str
    void: str
    conclusion: list[str]
    warnings: list[str]
    splits: pd.DataFrame
    origin: Origin
    leaks: LeakReport

    @property
    def truth(self) -> EvaluationSummary:
        """A summary to read the truth from: test pictures and labelled pixels are the same for every model."""
        return self.candidates[0].evaluation.summary

    def record(self) -> dict[str, Any]:
        """Content of `summary.json`."""
        ranking = self.ranking
        return {
            "headline": self.headline,
            "conclusion": " ".join(self.conclusion),
            "warnings": self.warnings,
            "ranking": [json.loads(entry.model_dump_json()) for entry in ranking.entries],
            "resolved": ranking.resolved,
            "baseline_clean_miou": ranking.clean_miou,
            "test_pictures": ranking.pictures,
            "unlabelled": list(self.truth.unlabelled),
            "groups": ranking.groups,
            "classes_present": [score.name for score in self.truth.classes if score.truth_pixels],
            "confidence": ranking.confidence,
            "replicates": ranking.replicates,
            "source": self.origin.source,
            "leaks": {
                "found": self.leaks.found,
                "sentences": self.leaks.sentences(),
                **json.loads(self.leaks.model_dump_json()),
            },
        }


def find(ranking: Ranking, candidates: Sequence[Candidate], splits: Path, leaks: LeakReport, config: CompareConfig) -> Findings:
    """Draws the conclusion from the ranking of `candidates` and the leak check; `splits` is the folder of the splits artifact."""
    table, origin = read_splits(splits), read_origin(splits)
    by_name = {candidate.name: candidate for candidate in candidates}
    ordered = [by_name[entry.name] for entry in ranking.entries]
    first = ordered[0].evaluation
    generated = is_generated(origin.source)
    validation = table["split"].to_list().count("val")
    warnings = warn(ranking, first.counts.sum(2), first.summary, validation, origin.quarantined, generated, config)
    reason = void(leaks)
    return Findings(
        ranking=ranking,
        candidates=ordered,
        headline="The figures are void: test pictures were seen in training" if reason else headline(ranking),
        void=reason,
        conclusion=[*([reason] if reason else []), *conclude(ranking, generated)],
        warnings=warnings,
        splits=table,
        origin=origin,
        leaks=leaks,
    )


def read_origin(splits: Path) -> Origin:
    """What `balance.json` of the splits artifact passes on from the raw artifact's report."""
    content = storage.read_json(splits / BALANCE)
    set_aside = content.get("quarantined", 0)
    return Origin(
        source=str(content.get("source", "unknown")),
        licence=str(content.get("licence", "unknown")),
        citation=str(content.get("citation", "")),
        quarantined=len(set_aside) if isinstance(set_aside, list) else int(set_aside),
    )
