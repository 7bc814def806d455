"""What each side and each fold of a division holds, and what that means for the benchmark."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from patina.core.raw_report import RawReport
from patina.core.splits import SPLITS
from patina.core.taxonomy import CLASS_NAMES, CLASSES
from patina.split.groups import Grouping
from patina.split.protocols import Division
from patina.split.settings import SplitSettings

if TYPE_CHECKING:
    from pandas import DataFrame

_FEW_TEST_GROUPS = 20
_LARGE_GROUP = 0.1
"""Share of all pictures above which a group is worth a look: a chain of false likenesses would end as one."""

_MEANING = {
    "train": "cannot be learned",
    "val": "cannot help to choose the checkpoint",
    "test": "cannot be judged",
}


def balance_of(
    table: "DataFrame", index: "DataFrame", report: RawReport, grouping: Grouping, division: Division, config: SplitSettings
) -> dict[str, Any]:
    """The content of `balance.json`.

    Args:
        table: the split table.
        index: of the raw artifact: id, material, pixels.
        report: of the raw artifact, for source, licence, citation, quarantine.
        grouping: which pictures belong together, and why.
        division: names of the folds, and warnings of the protocol.
        config: the settings.
    """
    pixels = {identifier: np.array(counts, np.int64) for identifier, counts in zip(index["id"], index["pixels"], strict=True)}
    sides = {split: _part(table.loc[table["split"] == split], pixels) for split in SPLITS}
    folds = [{"name": name, **_part(table.loc[table["fold"] == fold], pixels)} for fold, name in enumerate(division.folds)]
    members: dict[str, list[str]] = {}
    for identifier, group in sorted(grouping.group_of.items()):
        members.setdefault(group, []).append(identifier)
    joined = [
        {"group": group, "pictures": members[group], "reasons": [{"why": r.why, "pictures": list(r.pictures)} for r in reasons]}
        for group, reasons in sorted(grouping.reasons.items())
    ]
    return {
        "source": report.source,
        "licence": report.licence,
        "citation": report.citation,
        "quarantined": len(report.quarantined),
        "labelled_share": report.labelled_share,
        "pictures": len(table),
        "groups": len(members),
        "rule": rule(config),
        "protocol": config.protocol,
        "splits": sides,
        "folds": [fold | {"found_only_here": _found_only_in(fold, folds, config)} for fold in folds],
        "test_fold": config.test_fold if folds else None,
        "joined": joined,
        "warnings": [*_warnings(sides, config), *division.warnings, *_group_warnings(joined, len(table), config)],
    }


def rule(config: SplitSettings) -> str:
    """How pictures are grouped and divided, in a few sentences."""
    near = f"perceptual hashes within {config.near_duplicate_bits} of 64 bits"
    bound = {
        "none": "Copies are not looked for",
        "files": "Files with the same SHA-256 form a group and stay together",
        "hash": f"Files with the same SHA-256, or with {near}, form a group and stay together",
        "content": f"Files with the same SHA-256, with {near}, or that show the same thing (scaled, saved again, flipped, turned, or "
        "cropped to no less than about 60 % of the area) form a group and stay together",
    }[config.near_duplicates]
    stratified = "stratified by material, content and the classes that occur"
    divided = {
        "holdout": f"Of all pictures {config.test:.0%} test and {config.val:.0%} validate, {stratified}; what occurs in three groups or "
        "more is put on every side where the quotas allow it.",
        "kfold": f"The pictures form {config.folds} folds of equal size, {stratified}; what occurs in {config.folds} groups or more is put "
        "in every fold where the quotas allow it. One fold tests, the next validates, the others train; in as many runs each tests once.",
        "leave_one_material_group_out": "Each fold holds the pictures of related materials. One fold tests, so that no model has seen its "
        f"materials; of the others {config.val:.0%} validate, {stratified}.",
        "leave_one_content_out": "Each fold holds the pictures of one content. One fold tests, so that no model has seen its content; "
        f"of the others {config.val:.0%} validate, {stratified}.",
    }[config.protocol]
    columns = "" if config.group_columns == () else " So do pictures with the same value in a group column, where the data has one."
    return f"{bound}.{columns} {divided}"


def _part(rows: "DataFrame", pixels: dict[str, Any]) -> dict[str, Any]:
    counts = np.array([pixels[identifier] for identifier in rows["id"]], np.int64).reshape(-1, len(CLASSES))
    return {
        "pictures": len(rows),
        "groups": rows["group"].nunique(),
        "materials": _frequencies(rows["material"].tolist()),
        "contents": _frequencies(rows["content"].tolist()),
        "class_pictures": dict(zip(CLASS_NAMES, (counts > 0).sum(axis=0).tolist(), strict=True)),
        "class_pixels": dict(zip(CLASS_NAMES, counts.sum(axis=0).tolist(), strict=True)),
    }


def _found_only_in(fold: dict[str, Any], folds: list[dict[str, Any]], config: SplitSettings) -> list[str]:
    """What no other fold has, apart from what the protocol leaves out: while this fold is tested, no model can learn it."""
    left_out = {"leave_one_material_group_out": "materials", "leave_one_content_out": "contents"}.get(config.protocol)
    found: list[str] = []
    for kind in (kind for kind in ("materials", "contents", "class_pictures") if kind != left_out):
        others = {name for other in folds if other is not fold for name, count in other[kind].items() if count}
        found += [name for name, count in fold[kind].items() if count and name not in others]
    return found


def _warnings(sides: dict[str, dict[str, Any]], config: SplitSettings) -> list[str]:
    warnings: list[str] = []
    absent: dict[tuple[str, ...], list[str]] = {}
    for name in CLASS_NAMES:
        without = tuple(split for split in SPLITS if sides[split]["class_pictures"][name] == 0)
        absent.setdefault(without, []).append(name)
    if nowhere := absent.pop(SPLITS, None):
        warnings.append(f"No picture shows {', '.join(nowhere)}: nothing can be said about them.")
    for without, names in absent.items():
        if without:
            verb, subject = ("is", "it") if len(names) == 1 else ("are", "they")
            meaning = " and ".join(_MEANING[split] for split in without)
            warnings.append(f"{', '.join(names)} {verb} absent in {' and '.join(without)}: {subject} {meaning}.")
    unseen = ", ".join(name for name in sides["test"]["materials"] if name not in sides["train"]["materials"])
    if unseen and config.protocol == "leave_one_content_out":
        left_out = ", ".join(sides["test"]["contents"])
        warnings.append(f"Without {left_out}, no {unseen} is left to train on: this fold tests new materials as well as a new content.")
    elif unseen and config.protocol != "leave_one_material_group_out":
        warnings.append(f"No training picture is of {unseen}: the test shows how models carry over to it.")
    if sides["test"]["groups"] < _FEW_TEST_GROUPS:
        warnings.append(f"Only {sides['test']['groups']} independent test pictures: differences between models will rarely be certain.")
    return warnings


def _group_warnings(joined: list[dict[str, Any]], pictures: int, config: SplitSettings) -> list[str]:
    warnings: list[str] = []
    if config.near_duplicates == "none":
        warnings.append("Copies were not looked for (near_duplicates is none): the test pictures may have copies in training.")
    for group in joined:
        size = len(group["pictures"])
        if size > max(2, _LARGE_GROUP * pictures):
            warnings.append(f"{size} of {pictures} pictures form one group, {group['group']}. Look whether they belong together.")
    return warnings


def _frequencies(values: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
