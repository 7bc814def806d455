"""What each side of a split holds, and what that means for the benchmark."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from patina.core import page
from patina.core.raw_report import RawReport
from patina.core.splits import SPLITS
from patina.core.taxonomy import CLASS_NAMES, CLASSES

if TYPE_CHECKING:
    from pandas import DataFrame

_FEW_TEST_GROUPS = 20

_MEANING = {
    "train": "no model can learn it",
    "val": "it does not take part in choosing the checkpoint",
    "test": "it cannot be judged",
}


def balance_of(table: "DataFrame", index: "DataFrame", report: RawReport, rule: str) -> dict[str, Any]:
    """The content of `balance.json`.

    Args:
        table: the split table.
        index: of the raw artifact: id, material, pixels.
        report: of the raw artifact, for source, licence, citation, quarantine.
        rule: how pictures were grouped and divided, in a sentence or two.
    """
    pixels = {identifier: np.array(counts, np.int64) for identifier, counts in zip(index["id"], index["pixels"], strict=True)}
    sides = {split: _side(table.loc[table["split"] == split], pixels) for split in SPLITS}
    return {
        "source": report.source,
        "licence": report.licence,
        "citation": report.citation,
        "quarantined": len(report.quarantined),
        "labelled_share": report.labelled_share,
        "pictures": len(table),
        "groups": table["group"].nunique(),
        "rule": rule,
        "splits": sides,
        "warnings": _warnings(sides),
    }


def balance_page(balance: dict[str, Any]) -> str:
    """The balance as HTML."""
    sides: dict[str, Any] = balance["splits"]
    materials = sorted(set().union(*(side["materials"] for side in sides.values())))
    percent = {split: _percentages(side["class_pixels"]) for split, side in sides.items()}
    classes = [
        (kind.name, *(side["class_pictures"][kind.name] for side in sides.values()), *(percent[split][kind.name] for split in sides))
        for kind in CLASSES
    ]
    columns = ("Class", *(f"{split}, pictures" for split in SPLITS), *(f"{split}, % of pixels" for split in SPLITS))
    return page.page(
        f"Split of {balance['pictures']} pictures",
        (
            page.paragraph(f"Source: {balance['source']}. Licence: {balance['licence']}."),
            page.paragraph(balance["rule"]),
            *(page.note(text) for text in balance["warnings"]),
            page.heading("Sides"),
            page.table(("Side", "Pictures", "Groups"), [(split, side["pictures"], side["groups"]) for split, side in sides.items()]),
            page.heading("Classes"),
            page.table(columns, classes, [kind.color for kind in CLASSES]),
            page.heading("Materials"),
            page.table(("Material", *SPLITS), [(name, *(side["materials"].get(name, 0) for side in sides.values())) for name in materials]),
        ),
    )


def _side(rows: "DataFrame", pixels: dict[str, Any]) -> dict[str, Any]:
    counts = np.array([pixels[identifier] for identifier in rows["id"]], np.int64).reshape(-1, len(CLASSES))
    return {
        "pictures": len(rows),
        "groups": rows["group"].nunique(),
        "materials": dict(sorted(Counter(rows["material"].tolist()).items())),
        "class_pictures": dict(zip(CLASS_NAMES, (counts > 0).sum(axis=0).tolist(), strict=True)),
        "class_pixels": dict(zip(CLASS_NAMES, counts.sum(axis=0).tolist(), strict=True)),
    }


def _warnings(sides: dict[str, dict[str, Any]]) -> list[str]:
    warnings: list[str] = []
    absent = {name: [split for split in SPLITS if sides[split]["class_pictures"][name] == 0] for name in CLASS_NAMES}
    if nowhere := [name for name, without in absent.items() if len(without) == len(SPLITS)]:
        warnings.append(f"No picture shows {', '.join(nowhere)}: nothing can be said about them.")
    for name, without in absent.items():
        if 0 < len(without) < len(SPLITS):
            warnings.append(f"{name} is absent in {' and '.join(without)}: {'; '.join(_MEANING[split] for split in without)}.")
    if sides["test"]["groups"] < _FEW_TEST_GROUPS:
        warnings.append(f"Only {sides['test']['groups']} independent test pictures: differences between models will rarely be certain.")
    return warnings


def _percentages(pixels: dict[str, int]) -> dict[str, float]:
    total = max(1, sum(pixels.values()))
    return {name: 100 * value / total for name, value in pixels.items()}
