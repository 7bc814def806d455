"""The report: one self-contained page without scripts, and the same in short as Markdown.

The page is shown by the pipeline's UI inside a sandboxed frame, opened from a local run's folder, and printed. Everything that comes
from data is escaped by the templates.
"""

import base64
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from patina.compare.conclusion import percent, points
from patina.compare.evidence import Candidate
from patina.compare.findings import Findings
from patina.compare.legend import legend
from patina.compare.ranking import Entry
from patina.core import storage
from patina.core.artifact import Manifest
from patina.core.errors import UsageError
from patina.core.evaluation import FACTS
from patina.core.splits import SPLITS
from patina.core.taxonomy import CLASSES
from patina.models.architectures import facts, parse_architecture

_TEAL, _PAPER = (22, 96, 122), (250, 250, 247)
_BAR_WIDTH = 300
_MOST_PAIRS = 20
_SCALE_RULES = {
    "native": "pixels as they are",
    "max_side": "shrunk until the longer side fits",
    "squash": "each picture squeezed into one tile",
}
_PARTS = {"train": "training", "val": "validation", "test": "test"}


def markdown(findings: Findings) -> str:
    """The report in short, for terminals and commit messages; no timing, so that equal results give equal text."""
    return _template("report.md.jinja").render(
        findings=findings,
        rows=[_ranking_row(place, entry, findings) for place, entry in enumerate(findings.ranking.entries, 1)],
        classes=_class_rows(findings),
        names=[candidate.name for candidate in findings.candidates],
        digests=_digests(findings.candidates),
    )


def page(findings: Findings, seed: int, splits: Manifest, limit: int) -> str:
    """The report as HTML.

    Args:
        findings: what to tell.
        seed: of the resampling.
        splits: manifest of the splits artifact.
        limit: bytes that the examples' pictures may take.
    """
    ranking = findings.ranking
    manifest = findings.candidates[0].evaluation.manifest
    return _template("report.html.jinja").render(
        findings=findings,
        ranking=ranking,
        baseline=percent(ranking.clean_miou),
        confidence=f"{100 * ranking.confidence:.0f}",
        rows=[_ranking_row(place, entry, findings) for place, entry in enumerate(ranking.entries, 1)],
        axis=[(_x(value / 100, _top(findings)), value) for value in _ticks(_top(findings))],
        clean_x=_x(ranking.clean_miou, _top(findings)),
        bar_width=_BAR_WIDTH,
        names=[candidate.name for candidate in findings.candidates],
        legend=[(f"#{bytes(item.color).hex()}", item.name, meaning) for item, meaning in legend()],
        classes=_class_rows(findings),
        materials=_material_rows(findings),
        examples=_examples(findings, limit),
        parts=_parts(findings),
        trainings=[_training(candidate) for candidate in findings.candidates],
        digests=[("division of the pictures", splits.digest), *_digests(findings.candidates)],
        libraries=manifest.libraries,
        code=(manifest.code_version, manifest.code_digest),
        seed=seed,
        most=_MOST_PAIRS,
    )


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("patina.compare"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _ranking_row(place: int, entry: Entry, findings: Findings) -> dict[str, Any]:
    top = _top(findings)
    bounded = entry.low is not None and entry.high is not None
    return {
        "place": place,
        "name": entry.name,
        "description": _description(entry.architecture),
        "miou": percent(entry.miou),
        "interval": f"{100 * entry.low:.1f} – {percent(entry.high)}" if entry.low is not None and entry.high is not None else "no interval",
        "bar": {"x": _x(entry.miou, top), "low": _x(entry.low or 0, top), "high": _x(entry.high or 0, top), "bounded": bounded},
        "gain": points(entry.gain_over_clean, sign=True),
        "gain_interval": _span(entry.gain_low, entry.gain_high),
        "behind": None if entry.behind is None else points(entry.behind),
        "behind_interval": _span(entry.behind_low, entry.behind_high),
        "verdict": "" if entry.behind_low is None else "more than chance" if entry.behind_low > 0 else "within chance",
        "first": "–" if entry.first_share is None else f"{100 * entry.first_share:.0f} %",
        "accuracy": _percent_or_dash(entry.pixel_accuracy),
        "f1": _percent_or_dash(entry.mean_f1),
        "calibration": _percent_or_dash(entry.calibration_error),
        "parameters": f"{entry.parameters / 1e6:.1f} M",
        "speed": _speed(findings.candidates[place - 1]),
    }


def _class_rows(findings: Findings) -> list[dict[str, Any]]:
    entries = findings.ranking.entries
    labelled = sum(score.truth_pixels for score in findings.truth.classes)
    return [
        {
            "name": score.name,
            "color": f"#{bytes(item.color).hex()}",
            "pictures": score.pictures,
            "share": _share(score.truth_pixels / labelled),
            "cells": _cells([entry.per_class_iou[score.name] for entry in entries]),
        }
        for item, score in zip(CLASSES, findings.truth.classes, strict=True)
    ]


def _material_rows(findings: Findings) -> list[dict[str, Any]]:
    entries = findings.ranking.entries
    return [
        {
            "name": score.material,
            "pictures": score.pictures,
            "cells": _cells([entry.per_material_miou[score.material] for entry in entries]),
        }
        for score in findings.truth.materials
    ]


def _cells(values: Sequence[float | None]) -> list[dict[str, Any]]:
    best = max((value for value in values if value is not None), default=0.0)
    return [_cell(value, len(values) > 1 and value is not None and value == best > 0) for value in values]


def _cell(value: float | None, best: bool) -> dict[str, Any]:
    if value is None:
        return {"text": "–", "style": "", "best": False}
    depth = math.sqrt(value)  # small scores are where classes differ
    red, green, blue = (round(paper + depth * (teal - paper)) for paper, teal in zip(_PAPER, _TEAL, strict=True))
    linear = [(channel / 255) ** 2.2 for channel in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    ink = "#fff" if luminance < 0.19 else "#0d161d"  # where both inks have the same contrast (WCAG 2.2), 4.4 to 1
    return {"text": f"{100 * value:.1f}", "style": f"background:rgb({red},{green},{blue});color:{ink}", "best": best}


def _examples(findings: Findings, limit: int) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    first, spent = findings.candidates[0].evaluation, 0
    ids: list[str] = first.table["id"].to_list()
    for name in findings.truth.examples:
        row = ids.index(name)
        about = first.table.iloc[row]
        views = [("Picture", first.example(name, "input"), "")]
        views.append(("Annotation", first.example(name, "truth"), _kinds(first.counts[row].sum(1))))
        views += [
            (candidate.name, candidate.evaluation.example(name, "prediction"), _kinds(candidate.evaluation.counts[row].sum(0)))
            for candidate in findings.candidates
        ]
        data = [base64.b64encode(path.read_bytes()).decode() for _, path, _ in views]
        spent += sum(map(len, data))
        if spent > limit:
            break
        shown.append(
            {
                "id": name,
                "material": about["material"],
                "content": about["content"],
                "size": f"{about['width']} × {about['height']} px",
                "views": [{"title": title, "kinds": kinds, "data": text} for (title, _, kinds), text in zip(views, data, strict=True)],
            }
        )
    return shown


def _kinds(pixels: Any) -> str:
    total = int(pixels.sum())
    found = sorted(((int(count), item.name) for count, item in zip(pixels[1:], CLASSES[1:], strict=True) if count), reverse=True)
    return ", ".join(f"{name} {_share(count / total)}" for count, name in found[:6]) or "no damage"


def _parts(findings: Findings) -> dict[str, Any]:
    table = findings.splits
    pairs = Counter(zip(table["material"], table["split"], strict=True))
    groups = {part: len({group for group, split in zip(table["group"], table["split"], strict=True) if split == part}) for part in SPLITS}
    rows = [(material, [pairs[material, part] for part in SPLITS]) for material in sorted(set(table["material"]))]
    return {
        "names": [_PARTS[part] for part in SPLITS],
        "rows": [(material, row, sum(row)) for material, row in rows],
        "pictures": [sum(row[column] for _, row in rows) for column in range(len(SPLITS))],
        "groups": list(groups.values()),
    }


def _training(candidate: Candidate) -> dict[str, str]:
    card = candidate.card
    return {
        "name": candidate.name,
        "encoder": card.encoder,
        "recipe": f"{card.recipe}, {card.epochs} epoch{'s' * (card.epochs != 1)}, seed {card.seed}",
        "tiles": f"{card.tile_size} px, {_SCALE_RULES[card.geometry.scale_rule]}",
    }


def _digests(candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    pairs = [("test pictures", candidates[0].evaluation.manifest.inputs.get("test_images", ""))]
    for candidate in candidates:
        pairs += [(f"model {candidate.name}", candidate.manifest.digest), ("its evaluation", candidate.evaluation.manifest.digest)]
    return pairs


def _description(architecture: str) -> str:
    try:
        return facts(parse_architecture(architecture)).description
    except UsageError:  # a model of another version of patina
        return ""


def _speed(candidate: Candidate) -> str:
    path = candidate.evaluation.folder / FACTS
    if not path.is_file():
        return "–"
    measured = storage.read_json(path)
    return f"{measured['megapixels_per_second']:.2g} Mpx/s ({measured['device']})"


def _top(findings: Findings) -> float:
    highest = max(max(entry.high or 0, entry.miou) for entry in findings.ranking.entries)
    return min(1.0, math.ceil(max(highest, findings.ranking.clean_miou, 0.01) * 1.04 * 20) / 20)


def _ticks(top: float) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 20) if top * 100 / step <= 6)
    return list(range(0, round(top * 100) + 1, step))


def _x(value: float, top: float) -> float:
    return round(6 + (_BAR_WIDTH - 12) * value / top, 1)


def _span(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"{points(low, sign=True)} to {points(high, sign=True)}"


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "< 0.1\N{NO-BREAK SPACE}%"
    return percent(value)


def _percent_or_dash(value: float | None) -> str:
    return "–" if value is None else percent(value)
