"""The pictures of an evaluation: examples for the report, best and worst, and everything on one page for the pipeline's UI."""

import base64
import html
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from patina.core.evaluation import EXAMPLES, PREDICTIONS, EvaluationSummary
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import RawRow, iter_rows
from patina.core.taxonomy import CLASSES, palette
from patina.evaluate import figures, views
from patina.evaluate.settings import EvaluateConfig
from patina.evaluate.summary import Tally

_PAGE_FIGURES = (
    ("class_iou.png", "IoU, recall and precision of each class in the truth"),
    ("confusion.png", "Of 100 pixels of each true class, how many were given each class"),
    ("reliability.png", "How often a prediction of a given confidence was right"),
    ("best.jpg", "Damaged pictures with the highest mIoU: input, truth, prediction, errors"),
    ("worst.jpg", "Damaged pictures with the lowest mIoU: input, truth, prediction, errors"),
)


class PictureViews(NamedTuple):
    """Small views of one picture, uint8 [h, w, 3] each."""

    input: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    errors: NDArray[np.uint8]


def draw(folder: Path, test_images: Path, summary: EvaluationSummary, tally: Tally, config: EvaluateConfig) -> None:
    """Writes `figures/*` and `figures/examples/*` of the evaluation in `folder`; its predictions must be there already."""
    (folder / EXAMPLES).mkdir(parents=True, exist_ok=True)
    target = folder / "figures"
    if summary.calibration_error is not None:  # at least one labelled pixel
        figures.draw_class_scores(target / "class_iou.png", summary)
        figures.draw_confusion(target / "confusion.png", summary)
        figures.draw_reliability(target / "reliability.png", tally.calibration, summary.calibration_error)
    table = tally.scores()
    damaged = tally.counts()[:, 1:].sum((1, 2)) > 0  # without damage in the truth, mIoU says little of a picture
    scored = [(str(name), float(miou)) for name, miou, shown in zip(table["id"], table["miou"], damaged, strict=True) if shown]
    ranked = sorted(scored, key=lambda pair: (-pair[1], pair[0]))
    half = min(config.extremes, (len(ranked) + 1) // 2)
    chosen = {"best.jpg": ranked[:half], "worst.jpg": ranked[::-1][: min(half, len(ranked) - half)]}
    wanted = {*summary.examples, *(name for rows in chosen.values() for name, _ in rows)}
    shown = {row.id: make_views(row, folder, config.view_size) for row in iter_rows(test_images, wanted)} if wanted else {}
    for name in summary.examples:
        for part in ("input", "truth", "prediction"):
            figures.save_jpeg(folder / EXAMPLES / f"{name}-{part}.jpg", getattr(shown[name], part))
    for file, rows in chosen.items():
        if rows:
            figures.draw_strips(target / file, [(f"{name}, mIoU {100 * miou:.0f} %", shown[name]) for name, miou in rows])


def make_views(row: RawRow, folder: Path, size: int) -> PictureViews:
    """The views of one picture; its prediction is read from the evaluation in `folder`."""
    picture = views.shrink_picture(decode_picture(row.image), size)
    truth = views.shrink_labels(decode_mask(row.annotation), size)
    prediction = views.shrink_labels(decode_mask((folder / PREDICTIONS / f"{row.id}.png").read_bytes()), size)
    colors = palette()
    return PictureViews(
        picture,
        views.overlay(picture, truth, colors),
        views.overlay(picture, prediction, colors),
        views.error_view(picture, truth, prediction),
    )


def page(folder: Path, summary: EvaluationSummary) -> str:
    """A self-contained HTML page without scripts: the headline, then the figures."""
    headline = "".join(
        f"<tr><th scope=row>{html.escape(name.replace('_', ' '))}<td>{100 * value:.2f} %" for name, value in summary.headline().items()
    )
    legend = "".join(f'<li><i style="background:rgb{item.color}"></i>{html.escape(item.name)}' for item in CLASSES[1:])
    blocks = []
    for file, caption in _PAGE_FIGURES:
        path = folder / "figures" / file
        if path.is_file():
            kind = "jpeg" if path.suffix == ".jpg" else "png"
            data = base64.b64encode(path.read_bytes()).decode()
            blocks.append(f'<figure><figcaption>{caption}</figcaption><img alt="{caption}" src="data:image/{kind};base64,{data}"></figure>')
    unlabelled = f"; {len(summary.unlabelled)} of them without a labelled pixel" if summary.unlabelled else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(summary.architecture)}</title>
<style>
body{{font:15px/1.5 system-ui,sans-serif;color:#22303c;max-width:1020px;margin:1.5rem auto;padding:0 1rem}}
h1{{font-size:1.35rem;margin:0}}table{{border-collapse:collapse;margin:1rem 0}}
th{{text-align:left;font-weight:400;padding:.15rem 1.5rem .15rem 0}}td{{text-align:right;font-variant-numeric:tabular-nums}}
figure{{margin:1.8rem 0}}figcaption{{font-weight:600;margin-bottom:.4rem}}img{{max-width:100%;height:auto}}
ul{{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}}
i{{display:inline-block;width:.9em;height:.9em;margin-right:.35em;border:1px solid #0003;vertical-align:-.1em}}
</style></head><body>
<h1>{html.escape(summary.architecture)}</h1>
<p>{summary.pictures} test pictures, {summary.pixels / 1e6:.1f} Mpx, judged pixel by pixel at their native resolution{unlabelled}.</p>
<table>{headline}</table>
<ul aria-label="Colours of the damage classes">{legend}</ul>
{"".join(blocks)}
</body></html>
"""
