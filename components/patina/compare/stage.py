"""Compares evaluated models on the same test pictures and names the champion.

Nothing is predicted here: confusion counts per picture are all that intervals, tables and the report need.
"""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patina.compare import report
from patina.compare.apart import check_apart
from patina.compare.evidence import Candidate, gather, groups_of
from patina.compare.findings import find
from patina.compare.ranking import Ranking, rank
from patina.compare.settings import CompareConfig
from patina.core import artifact, storage
from patina.core.config import parse
from patina.core.containers import DATA
from patina.core.session import Session


@dataclass(frozen=True)
class Result:
    """What the stage made.

    Attributes:
        comparison: manifest of the comparison.
        champion: manifest of the champion's model.
        architecture: of the champion.
        miou: of the champion, 0..1.
    """

    comparison: artifact.Manifest
    champion: artifact.Manifest
    architecture: str
    miou: float


def run(
    evaluations: Sequence[Path | str],
    models: Sequence[Path | str],
    splits: Path | str,
    tiles: Path | str,
    test_images: Path | str,
    comparison: Path | str,
    champion: Path | str,
    report_page: Path | str,
    seed: int,
    settings: str,
    progress: Session,
) -> Result:
    """The compare stage.

    Args:
        evaluations: folders of the evaluation artifacts.
        models: folders of the model artifacts, in any order.
        splits: folder of the splits artifact.
        tiles: folder of the tiles artifact that the models were trained on.
        test_images: folder of the raw artifact that they were judged on.
        comparison: folder to write.
        champion: folder to write the best model to.
        report_page: HTML file to write.
        seed: of the resampling.
        settings: JSON of changes to `CompareConfig`.
        progress: where to report.

    Raises:
        UsageError: wrong settings.
        DataRefused: broken or unmatched artifacts, other test pictures, or no labelled pixel.
    """
    config = parse(CompareConfig, settings, "compare settings")
    splits_manifest = artifact.open_artifact(Path(splits), "splits")
    candidates = gather(evaluations, models)
    ranking = rank(candidates, groups_of(Path(splits), candidates[0].evaluation), config, seed)
    progress.report(1, 4, "steps", ranking.winner.miou)
    leaks = check_apart(Path(tiles), Path(test_images), Path(splits), candidates)
    progress.report(2, 4, "steps", ranking.winner.miou)
    best = next(candidate for candidate in candidates if candidate.name == ranking.winner.name)
    findings = find(ranking, candidates, Path(splits), leaks, config)
    folder = Path(comparison)
    folder.mkdir(parents=True, exist_ok=True)
    storage.write_json(folder / "summary.json", findings.record())
    storage.write_text(folder / "ranking.csv", ranking_table(ranking))
    storage.write_text(folder / "report.md", report.markdown(findings))
    page = report.page(findings, seed, splits_manifest, config.report_bytes)
    storage.write_text(folder / "report.html", page)
    storage.write_text(Path(report_page), page)
    progress.report(3, 4, "steps", ranking.winner.miou)
    inputs = {"splits": splits_manifest.digest}
    inputs |= {role: artifact.read_manifest(Path(place)).digest for role, place in (("tiles", tiles), ("test_images", test_images))}
    for candidate in candidates:
        inputs |= {
            f"model {candidate.name}": candidate.manifest.digest,
            f"evaluation {candidate.name}": candidate.evaluation.manifest.digest,
        }
    sealed = artifact.seal(folder, "comparison", inputs=inputs, config={**config.model_dump(mode="json"), "seed": seed}, image=DATA)
    crowned = crown(best, Path(champion))
    progress.report(4, 4, "steps", ranking.winner.miou)
    return Result(sealed, crowned, best.evaluation.summary.architecture, ranking.winner.miou)


def ranking_table(ranking: Ranking) -> str:
    """The ranking as CSV, one line per model, the best first; an undefined bound is an empty field."""
    columns = (
        *("architecture", "miou", "low", "high", "gain_over_clean", "gain_low", "gain_high", "behind", "behind_low", "behind_high"),
        *("first_share", "pixel_accuracy", "mean_f1", "calibration_error", "parameters", "model_digest"),
    )
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("rank", "name", *columns))
    for place, entry in enumerate(ranking.entries, 1):
        writer.writerow((place, entry.name, *(getattr(entry, column) for column in columns)))
    return stream.getvalue()


def crown(best: Candidate, champion: Path) -> artifact.Manifest:
    """Copies the best model to `champion` and seals the copy, with the original as its input; the content digest stays the same."""
    champion.mkdir(parents=True, exist_ok=True)
    for name in (*best.manifest.files, *best.manifest.facts):
        (champion / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(best.folder / name, champion / name)
    return artifact.seal(champion, "model", inputs={"model": best.manifest.digest}, config=best.manifest.config, image=DATA)
