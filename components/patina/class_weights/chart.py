"""The view of the class weights: one self-contained HTML page with an inline SVG, no script."""

import html
import math

from patina.core import page
from patina.core.taxonomy import CLASSES
from patina.core.weights import SCHEMES, ClassWeights

_LABEL, _PLOT, _COUNTS, _LINE = 130, 520, 180, 24


def chart_page(weights: ClassWeights, *, pictures: int, max_ratio: float | None) -> str:
    """The page as HTML: a bar per class on a logarithmic axis, a warning for absent classes, the weights of every scheme."""
    absent = [damage.name for damage in CLASSES if not weights.present[damage.id]]
    limit = "There is no limit on their ratio." if max_ratio is None else f"The largest is at most {max_ratio:,g} times the smallest."
    sections = [
        page.paragraph(
            "Share of the labelled pixels on a logarithmic axis: each grid line is ten times the one before. Validation and test "
            "pictures, augmented copies and pixels without a label (255) are not counted."
        ),
        _bars(weights),
        page.heading("Loss weights"),
        page.paragraph(f"Their mean over the classes present is 1. {limit} Every scheme is one column."),
        page.table(
            ("Class", "Pixels", *SCHEMES),
            [
                (damage.name, weights.pixels[damage.id], *(f"{weights.schemes[scheme][damage.id]:.4g}" for scheme in SCHEMES))
                for damage in CLASSES
            ],
            keys=[damage.color for damage in CLASSES],
        ),
    ]
    if absent:
        sections.insert(
            0, page.note(f"No training picture holds {', '.join(absent)}: no model can learn them. They carry the largest weight.")
        )
    return page.page(f"Classes in the {pictures:,} training pictures", sections)


def _bars(weights: ClassWeights) -> str:
    total = sum(weights.pixels)
    shares = [pixels / total for pixels in weights.pixels]
    lowest = math.floor(math.log10(min(share for share in shares if share)) - 0.05)  # a little room: every class gets a visible bar
    height = _LINE * len(CLASSES)
    size = f'width="{_LABEL + _PLOT + _COUNTS}" viewBox="0 0 {_LABEL + _PLOT + _COUNTS} {height + 28}"'
    style = "font:13px system-ui,sans-serif;max-width:100%;height:auto"
    parts = [f'<svg {size} style="{style}" role="img" aria-label="Share of labelled pixels per class">']
    for decade in range(lowest, 1):
        x = _LABEL + _PLOT * (decade - lowest) / -lowest
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{height + 18}" text-anchor="middle" fill="#5f6b76">{100 * 10.0**decade:g} %</text>')
    for row, damage in enumerate(CLASSES):
        y, share = row * _LINE, shares[damage.id]
        parts.append(f'<text x="{_LABEL - 10}" y="{y + 16}" text-anchor="end">{html.escape(damage.name)}</text>')
        if share:
            width = _PLOT * (math.log10(share) - lowest) / -lowest
            color = "".join(f"{channel:02x}" for channel in damage.color)
            parts.append(f'<rect x="{_LABEL}" y="{y + 4}" width="{width:.1f}" height="{_LINE - 8}" fill="#{color}" stroke="#0006"/>')
            found = weights.pictures[damage.id]
            shown = f"{100 * share:.1f}" if share >= 0.1 else f"{100 * share:.2g}"
            note = f"{shown} % in {found} picture{'' if found == 1 else 's'}"
            parts.append(f'<text x="{_LABEL + _PLOT + 12}" y="{y + 16}" fill="#5f6b76">{note}</text>')
        else:
            parts.append(f'<text x="{_LABEL + 8}" y="{y + 16}" fill="#b3261e">absent</text>')
    return "".join(parts) + "</svg>"
