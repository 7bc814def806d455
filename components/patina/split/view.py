"""The division as a page for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from patina.core import page
from patina.core.pictures import decode_picture
from patina.core.raw import iter_rows
from patina.core.splits import SPLITS
from patina.core.taxonomy import CLASSES

_GROUPS_PICTURED = 12
_PICTURES_OF_A_GROUP = 4
_GROUPS_LISTED = 100
_NAMES_LISTED = 8
_FOLDS_SIDE_BY_SIDE = 12
_THUMBNAIL = 150
"""Height in pixels."""


def thumbnails(raw: Path | str, balance: dict[str, Any]) -> dict[str, bytes]:
    """Small JPEG files of the pictures that the page shows, by id: some of the first groups of more than one picture.

    Raises:
        DataRefused: a picture cannot be decoded.
    """
    groups = balance["joined"][:_GROUPS_PICTURED]
    wanted = {name for group in groups for name in group["pictures"][:_PICTURES_OF_A_GROUP]}
    small: dict[str, bytes] = {}
    for row in iter_rows(raw, wanted) if wanted else ():
        picture = decode_picture(row.image, max_pixels=row.width * row.height)
        width = max(1, round(row.width * _THUMBNAIL / row.height))
        reduced = np.asarray(cv2.resize(picture, (min(width, 4 * _THUMBNAIL), _THUMBNAIL), interpolation=cv2.INTER_AREA), np.uint8)
        small[row.id] = cv2.imencode(".jpg", cv2.cvtColor(reduced, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()
    return small


def balance_page(balance: dict[str, Any], small: Mapping[str, bytes]) -> str:
    """`balance` (the content of `balance.json`) as HTML; `small` are the `thumbnails`."""
    sides: dict[str, Any] = balance["splits"]
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
            *(_folds(balance) if balance["folds"] else ()),
            page.heading("Sides"),
            page.table(("Side", "Pictures", "Groups"), [(split, side["pictures"], side["groups"]) for split, side in sides.items()]),
            page.heading("Classes"),
            page.table(columns, classes, [kind.color for kind in CLASSES]),
            page.heading("Materials and contents"),
            page.columns(_frequencies("Material", "materials", sides), _frequencies("Content", "contents", sides)),
            *_joined(balance, small),
        ),
    )


def _frequencies(column: str, kind: str, sides: dict[str, Any]) -> str:
    names = sorted(set().union(*(side[kind] for side in sides.values())))
    return page.table((column, *SPLITS), [(name, *(side[kind].get(name, 0) for side in sides.values())) for name in names])


def _folds(balance: dict[str, Any]) -> list[str]:
    folds: list[dict[str, Any]] = balance["folds"]
    tested: int = balance["test_fold"]
    validating = (tested + 1) % len(folds) if balance["protocol"] == "kfold" else None
    serves = {tested: "tests"} | ({} if validating is None else {validating: "validates"})
    rest = "trains and validates" if validating is None else "trains"
    rows = [
        (
            str(number) if balance["protocol"] == "kfold" else f"{number} {fold['name']}",
            serves.get(number, rest),
            fold["pictures"],
            fold["groups"],
            sum(count > 0 for count in fold["class_pictures"].values()),
            ", ".join(fold["found_only_here"]) or "-",
        )
        for number, fold in enumerate(folds)
    ]
    sections = [
        page.heading("Folds"),
        page.paragraph(f"This run tests fold {tested}. What a fold alone has, no model can learn while that fold is tested."),
        page.table(("Fold", "In this run", "Pictures", "Groups", "Classes", "Found in no other fold"), rows),
    ]
    if len(folds) <= _FOLDS_SIDE_BY_SIDE:
        counts = [(kind.name, *(fold["class_pictures"][kind.name] for fold in folds)) for kind in CLASSES]
        sections += [
            page.heading("Pictures that show a class, by fold"),
            page.table(("Class", *(str(number) for number in range(len(folds)))), counts, [kind.color for kind in CLASSES]),
        ]
    return sections


def _joined(balance: dict[str, Any], small: Mapping[str, bytes]) -> list[str]:
    groups: list[dict[str, Any]] = balance["joined"]
    heading = page.heading("Pictures that belong together")
    if not groups:
        return [heading, page.paragraph("None were found: every picture is a group of its own.")]
    figures = [
        ([small[name] for name in group["pictures"] if name in small], f"{_listed(group['pictures'])}: {_why(group)}")
        for group in groups[:_GROUPS_PICTURED]
    ]
    rows = [(_listed(group["pictures"]), len(group["pictures"]), _why(group)) for group in groups[_GROUPS_PICTURED:_GROUPS_LISTED]]
    more = f" The first {_GROUPS_LISTED} are shown; balance.json has all." if len(groups) > _GROUPS_LISTED else ""
    pictures = sum(len(group["pictures"]) for group in groups)
    return [
        heading,
        page.paragraph(f"{pictures} pictures form {len(groups)} groups of more than one.{more}"),
        page.pictures(figures),
        *([page.table(("Pictures", "How many", "Why"), rows)] if rows else ()),
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMES_LISTED]) + (f" and {len(names) - _NAMES_LISTED} more" if len(names) > _NAMES_LISTED else "")


def _why(group: dict[str, Any]) -> str:
    """The reasons, each once, with the surest likeness first as they stand."""
    reasons = list(dict.fromkeys(reason["why"] for reason in group["reasons"]))
    return "; ".join(reasons[:3]) + ("; ..." if len(reasons) > 3 else "")


def _percentages(pixels: dict[str, int]) -> dict[str, float]:
    total = max(1, sum(pixels.values()))
    return {name: 100 * value / total for name, value in pixels.items()}
