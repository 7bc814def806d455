"""Whether the test pictures stand apart from what the models were trained on, and what it means if they do not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from patina.compare.evidence import Candidate
from patina.core.artifact import Manifest, read_manifest
from patina.core.errors import DataRefused
from patina.core.splits import read_splits
from patina.likeness.leaks import LeakReport, check_leaks
from patina.likeness.sets import open_set


def check_apart(tiles: Path, test_images: Path, splits: Path, candidates: Sequence[Candidate]) -> LeakReport:
    """Compares the training and validation tiles with the test pictures.

    Args:
        tiles: folder of the tiles artifact that the candidates were trained on.
        test_images: folder of the raw artifact that they were judged on.
        splits: folder of the splits artifact; it knows the group of each test picture, and the fold that is tested.
        candidates: the evaluated models.

    Raises:
        DataRefused: a damaged artifact, or one that is not what the candidates were trained or judged on.
    """
    trained, judged = read_manifest(tiles), read_manifest(test_images)
    for candidate in candidates:
        _check_role(tiles, trained, "tiles", candidate.manifest, f"model {candidate.name} was trained on")
        _check_role(test_images, judged, "test_images", candidate.evaluation.manifest, f"model {candidate.name} was judged on")
    table = read_splits(splits)
    crossed = trained.config.get("folds") == "all"
    tested = next((int(fold) for fold, split in zip(table["fold"], table["split"], strict=True) if split == "test"), None)
    seen = open_set(tiles, fold=tested if crossed else None)
    test = open_set(test_images, groups=dict(zip(table["id"], table["group"], strict=True)))
    return check_leaks(replace(seen, name="training and validation tiles"), replace(test, name="test pictures"))


def void(leaks: LeakReport) -> str:
    """The sentence that comes before all others if a leak was found, with the first pairs by name; else empty."""
    if not leaks.found:
        return ""
    pairs = list(dict.fromkeys((pair.left, pair.right) for pair in leaks.pairs()))
    named = "; ".join(one if one == two else f"{one} is like {two}" for one, two in pairs[:3])
    pictures = len({two for _, two in pairs})
    more = f"; {len(pairs) - 3} more pairs are in the report" if len(pairs) > 3 else ""
    return (
        f"These figures are void for comparison: {pictures} test picture{'s' * (pictures != 1)} or relatives of "
        f"{'them' if pictures != 1 else 'it'} were seen in training ({named}{more})."
    )


def _check_role(folder: Path, found: Manifest, role: str, user: Manifest, what: str) -> None:
    expected = user.inputs.get(role, "")
    if found.digest != expected:
        raise DataRefused(
            f"{folder} has digest {found.digest[:12]}, but {what} {expected[:12] or 'unnamed'} {role}. Connect the artifacts of one run."
        )
