"""Brings together what belongs together: each evaluation with its model, by digest, and the test pictures with their groups."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patina.core import artifact
from patina.core.errors import DataRefused
from patina.core.evaluation import Evaluation, read_evaluation
from patina.core.model_card import ModelCard, read_model_card
from patina.core.splits import read_splits


@dataclass(frozen=True)
class Candidate:
    """One evaluated model.

    Attributes:
        name: its architecture, with the start of its digest if two models share one.
        evaluation: what evaluate found.
        folder: of the model artifact.
        manifest: of the model.
        card: of the model.
    """

    name: str
    evaluation: Evaluation
    folder: Path
    manifest: artifact.Manifest
    card: ModelCard


def gather(evaluations: Sequence[Path | str], models: Sequence[Path | str]) -> list[Candidate]:
    """Pairs evaluations and models by the digest in the evaluation's manifest, never by their place in a list.

    Raises:
        DataRefused: nothing to compare, an evaluation without its model or the reverse, or other test pictures or classes.
    """
    opened = [read_evaluation(Path(folder)) for folder in evaluations]
    known = {manifest.digest: (Path(folder), manifest) for folder in models for manifest in [artifact.open_artifact(Path(folder), "model")]}
    if not opened:
        raise DataRefused("no evaluation came in. Train and evaluate at least one architecture.")
    wanted = [evaluation.manifest.inputs.get("model", "") for evaluation in opened]
    if len(set(wanted)) < len(wanted):
        raise DataRefused(f"model {_repeated(wanted)[:12]} was evaluated twice. Connect one evaluation per model.")
    if set(wanted) != set(known):
        odd = sorted(set(wanted) ^ set(known))[0]
        what = "has no evaluation" if odd in known else "was evaluated but is not among the models"
        raise DataRefused(f"model {odd[:12] or '(unnamed)'} {what}: {len(opened)} evaluations, {len(known)} models. Connect both loops.")
    for evaluation in opened[1:]:
        _check_same_test(opened[0], evaluation)
    shared = Counter(evaluation.summary.architecture for evaluation in opened)
    candidates: list[Candidate] = []
    for evaluation, digest in zip(opened, wanted, strict=True):
        folder, manifest = known[digest]
        name = evaluation.summary.architecture
        name = name if shared[name] == 1 else f"{name} ({digest[:6]})"
        candidates.append(Candidate(name, evaluation, folder, manifest, read_model_card(folder)))
    return sorted(candidates, key=lambda candidate: (candidate.name, candidate.manifest.digest))


def groups_of(splits: Path, evaluation: Evaluation) -> NDArray[np.int64]:
    """Number of the group of each test picture, int64 [pictures], in the order of `evaluation.counts`.

    Raises:
        DataRefused: a test picture that the splits do not know as one.
    """
    table = read_splits(splits)
    groups = dict(zip(table["id"], table["group"], strict=True))
    splits_of = dict(zip(table["id"], table["split"], strict=True))
    ids = evaluation.table["id"].to_list()
    if strangers := [name for name in ids if splits_of.get(name) != "test"]:
        raise DataRefused(f"{splits}: {strangers[0]!r} was evaluated but is no test picture there ({len(strangers)} such). Evaluate again.")
    return np.unique([groups[name] for name in ids], return_inverse=True)[1].astype(np.int64)


def _check_same_test(first: Evaluation, other: Evaluation) -> None:
    one, two = first.summary, other.summary
    if (one.view, one.class_names) != (two.view, two.class_names):
        raise DataRefused(f"{one.architecture} speaks the view {one.view!r}, {two.architecture} {two.view!r}: rank them apart.")
    same_pictures = first.table["id"].to_list() == other.table["id"].to_list()
    if not same_pictures or not np.array_equal(first.counts.sum(2), other.counts.sum(2)):
        raise DataRefused(f"{one.architecture} and {two.architecture} were judged on different test pictures. Evaluate both on the same.")


def _repeated(values: list[str]) -> str:
    return next(value for value in values if values.count(value) > 1)
