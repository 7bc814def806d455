"""The view of the class weights: one self-contained HTML page with inline SVG, no script."""

import html
import math
from collections.abc import Callable

from patina.class_weights.settings import ClassWeightSettings
from patina.core import page
from patina.core.taxonomy import CLASSES
from patina.core.weights import COUNTED, SCHEMES, ClassWeights, Counted, Scheme

_LABEL, _PLOT, _NOTES, _LINE = 130, 520, 250, 30
_QUIET, _GRID, _WARNING = "#5f6b76", "#ddd", "#b3261e"
_BARS: tuple[tuple[Counted, int, float], ...] = (("picture", 3, 1), ("pixel", 15, 0.45))  # way of counting, top, opacity
# Okabe & Ito's colours: told apart by colour-blind readers as well.
_DOTS: dict[Scheme, str] = {
    "inverse": "#d55e00",
    "inverse_sqrt": "#0072b2",
    "log": "#009e73",
    "effective": "#cc79a7",
    "median_frequency": "#333333",
}


def chart_page(weights: ClassWeights, *, pictures: int, labelled: int, settings: ClassWeightSettings) -> str:
    """The page as HTML: the classes' shares by both ways of counting, a warning for absent classes, the weights of every scheme.

    Args:
        weights: what the page shows.
        pictures: training pictures.
        labelled: those with at least one labelled pixel.
        settings: which limits the weights have.
    """
    absent = [damage.name for damage in CLASSES if not weights.present[damage.id]]
    limit = "no limit" if settings.max_ratio is None else f"the limit {settings.max_ratio:,g}"
    shown = (
        "Full bars: mean of the class's share in each picture, so that every picture counts alike. Pale bars: share of all labelled "
        "pixels, where large pictures count more. Each grid line is ten times the one before. Validation and test pictures, "
        "augmented copies and pixels without a label (255) are not counted."
    )
    meaning = (
        f"Their mean over the classes present is 1, their ratio has {limit}. Settings: log_ratio "
        f"{settings.log_ratio:g}, beta {settings.beta:g} (scheme effective, which counts the pictures that hold a class)."
    )
    notes: list[str] = []
    if absent:
        names = ", ".join(absent)
        notes.append(
            page.note(f"No training picture holds {names}: no model can learn them. They carry the largest weight of each scheme.")
        )
    if labelled < pictures:
        notes.append(page.note(f"Pictures without a labelled pixel, which do not count: {pictures - labelled:,}."))
    return page.page(
        f"Classes in the {pictures:,} training pictures",
        [
            *notes,
            page.paragraph(shown),
            _bars(weights),
            page.heading("Loss weights, counted per picture"),
            page.paragraph(meaning),
            _dots(weights),
            *(section for way in COUNTED for section in (page.heading(f"Weights counted per {way}"), _table(weights.schemes[way]))),
        ],
    )


def _table(schemes: dict[Scheme, list[float]]) -> str:
    rows = [(damage.name, *(f"{schemes[scheme][damage.id]:.3g}" for scheme in SCHEMES)) for damage in CLASSES]
    ratios = [max(schemes[scheme]) / min(schemes[scheme]) for scheme in SCHEMES]
    last = ("largest / smallest", *(f"{ratio:,.1f}" for ratio in ratios))
    return page.table(("Class", *SCHEMES), [*rows, last], keys=[*(damage.color for damage in CLASSES), (255, 255, 255)])


def _bars(weights: ClassWeights) -> str:
    """Two bars per class on a logarithmic axis of shares."""
    shares = [share for way in COUNTED for share in weights.shares[way] if share]
    parts, place = _axis(min(shares) * 0.9, 1, "shares", lambda value: f"{100 * value:g} %")  # 0.9: the rarest class gets a visible bar
    for row, damage in enumerate(CLASSES):
        y, color = row * _LINE, "#{:02x}{:02x}{:02x}".format(*damage.color)
        if not weights.present[damage.id]:
            parts.append(_text(_LABEL + 8, y + 20, "absent", fill=_WARNING))
            continue
        for way, top, opacity in _BARS:
            width = place(weights.shares[way][damage.id]) - _LABEL
            shape = f'x="{_LABEL}" y="{y + top}" width="{width:.1f}" height="12" fill="{color}" fill-opacity="{opacity}"'
            parts.append(f'<rect {shape} stroke="#0006"/>')
        found = weights.pictures[damage.id]
        told = f"{_percent(weights.shares['picture'][damage.id])} · {_percent(weights.shares['pixel'][damage.id])} of pixels"
        parts.append(_text(_LABEL + _PLOT + 12, y + 14, told))
        parts.append(_text(_LABEL + _PLOT + 12, y + 27, f"in {found:,} picture{'' if found == 1 else 's'}", size=11, fill=_QUIET))
    return "".join(parts) + "</svg>"


def _dots(weights: ClassWeights) -> str:
    """A dot per class and scheme on a logarithmic axis of weights."""
    schemes = weights.schemes["picture"]
    values = [weight for scheme in _DOTS for weight in schemes[scheme]]
    parts, place = _axis(min(values), max(values), "weights", lambda value: f"{value:g}")
    for row, damage in enumerate(CLASSES):
        parts.append(f'<path d="M{_LABEL} {row * _LINE + 15}h{_PLOT}" stroke="{_GRID}"/>')
        for scheme, color in _DOTS.items():
            x = place(schemes[scheme][damage.id])
            parts.append(f'<circle cx="{x:.1f}" cy="{row * _LINE + 15}" r="5" fill="{color}" fill-opacity="0.85" stroke="#fff"/>')
    for row, (scheme, color) in enumerate(_DOTS.items()):
        parts.append(f'<circle cx="{_LABEL + _PLOT + 24}" cy="{row * 22 + 15}" r="5" fill="{color}"/>')
        parts.append(_text(_LABEL + _PLOT + 36, row * 22 + 20, scheme))
    return "".join(parts) + "</svg>"


def _axis(low: float, high: float, title: str, tick: Callable[[float], str]) -> tuple[list[str], Callable[[float], float]]:
    """The opening of a drawing with the classes' names and a logarithmic grid, and the place of a value on it, pixels."""
    first, last = math.floor(math.log10(low)), max(math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1)
    height, width = _LINE * len(CLASSES), _LABEL + _PLOT + _NOTES

    def place(value: float) -> float:
        return _LABEL + _PLOT * (math.log10(value) - first) / (last - first)

    style = "font:13px system-ui,sans-serif;max-width:100%;height:auto"
    size = f'width="{width}" viewBox="0 0 {width} {height + 28}"'
    parts = [f'<svg {size} style="{style}" role="img" aria-label="Classes and their {title}, logarithmic">']
    for decade in range(first, last + 1):
        x = place(10.0**decade)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="{_GRID}"/>')
        parts.append(_text(x, height + 18, tick(10.0**decade), anchor="middle", fill=_QUIET))
    parts += [_text(_LABEL - 10, row * _LINE + 20, damage.name, anchor="end") for row, damage in enumerate(CLASSES)]
    return parts, place


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, fill: str = "#1d2329") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{html.escape(text)}</text>'


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.1 else f"{100 * share:.2g} %"
