"""The data card: what the pictures are, where they come from and what their masks look like, on one page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core import page
from patina.core.raw_report import RawReport
from patina.core.taxonomy import CLASS_NAMES, CLASSES, IGNORE
from patina.download.check import CheckedRow

_EXAMPLES = 12
_HEIGHT = 220
_LEFT_OUT = 50
_LONGEST_TABLE = 40


class Examples:
    """Collects the card's pictures while the rows pass: the first of each material, then the first of each class not yet shown."""

    def __init__(self) -> None:
        self.figures: list[tuple[list[bytes], str]] = []
        self._materials: set[str] = set()
        self._classes: set[int] = {0}

    def offer(self, checked: CheckedRow) -> None:
        """Keeps small views of `checked` if it shows a material or a class that no view shows yet."""
        row = checked.row
        present = {index for index, pixels in enumerate(row.pixels) if pixels}
        if len(self.figures) >= _EXAMPLES or (row.material in self._materials and present <= self._classes):
            return
        self._materials.add(row.material)
        self._classes |= present
        damage = ", ".join(CLASS_NAMES[index] for index in sorted(present - {0})) or "no damage labelled"
        caption = f"{row.material}, {row.type} ({row.width} × {row.height} px): {damage}"
        self.figures.append((list(_views(checked)), caption))


def data_card(
    report: RawReport,
    examples: Examples,
    *,
    groups: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    notes: Sequence[str] = (),
) -> str:
    """The card as HTML.

    Args:
        report: of the artifact.
        examples: pictures to show.
        groups: group column -> id of a picture -> name of its group.
        notes: what the reader should not miss.
    """
    left_out = [page.note(f"Left out: {row.id} ({row.reason})") for row in report.quarantined[:_LEFT_OUT]]
    if len(report.quarantined) > _LEFT_OUT:
        left_out.append(page.note(f"{len(report.quarantined) - _LEFT_OUT} more were left out: report.json names them."))
    classes = [
        (kind.name, report.class_pictures[kind.name], report.class_pixels[kind.name], _percent(report.class_pixels, kind.name))
        for kind in CLASSES
    ]
    sizes = [(name, *(value if name == "megapixels" else round(value) for value in spread)) for name, spread in report.sizes.items()]
    return page.page(
        f"Data card: {report.pictures} {'picture' if report.pictures == 1 else 'pictures'}",
        (
            page.paragraph(f"Source: {report.source}. Licence: {report.licence.rstrip('.')}."),
            page.paragraph(f"Cite: {report.citation}" if report.citation else "Nothing to cite."),
            page.paragraph(f"{report.labelled_share:.1%} of all pixels carry a class; the rest is 255 and counts nowhere."),
            *map(page.note, notes),
            *left_out,
            page.heading("Examples: picture, and damage in the colours below (grey: no label)"),
            page.pictures(examples.figures),
            page.heading("Classes"),
            page.table(("Class", "Pictures", "Pixels", "% of labelled"), classes, [kind.color for kind in CLASSES]),
            page.columns(
                _counts("Materials", "Material", report.materials),
                _counts("Contents", "Content", report.contents),
                _counts("Types", "Type", report.types),
                page.heading("Sizes") + page.table(("", "smallest", "median", "largest"), sizes),
                _counts("Converted on reading", "What", report.conversions) if report.conversions else "",
                _groups(groups, report.pictures) if groups else "",
            ),
        ),
    )


def _counts(title: str, column: str, counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown: list[tuple[str, int]] = ranked[:_LONGEST_TABLE]
    if len(ranked) > _LONGEST_TABLE:
        shown.append((f"{len(ranked) - _LONGEST_TABLE} others", sum(count for _, count in ranked[_LONGEST_TABLE:])))
    return page.heading(title) + page.table((column, "Pictures"), shown)


def _groups(groups: Mapping[str, Mapping[str, str]], pictures: int) -> str:
    lines: list[tuple[str, int, int, int]] = []
    for name, values in sorted(groups.items()):
        members = Counter(value for value in values.values() if value)
        lines.append((name, len(members), max(members.values()), pictures - sum(members.values())))
    heads = ("Column", "Groups", "Largest", "Pictures without")
    return page.heading("Groups that the split keeps together") + page.table(heads, lines)


def _percent(pixels: dict[str, int], name: str) -> float:
    return 100 * pixels[name] / max(1, sum(pixels.values()))


def _views(checked: CheckedRow) -> tuple[bytes, bytes]:
    """The picture, and the same paled with damage coloured, as JPEG files 220 px high."""
    mask = checked.mask
    height, width = mask.shape
    size = (max(1, min(3 * _HEIGHT, round(_HEIGHT * width / height))), _HEIGHT)
    view = cv2.resize(checked.view, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    shares = {kind: _share(mask == kind, size) for kind in sorted(checked.labels - {0, IGNORE})}
    share = sum(shares.values(), np.zeros((*size[::-1], 1), np.float32))
    color = sum((part * np.array(CLASSES[kind].color, np.float32) for kind, part in shares.items()), np.zeros((*size[::-1], 3), np.float32))
    unlabelled = _share(mask == IGNORE, size)
    grey = view.mean(axis=2, keepdims=True) * 0.5 + 115
    ground = grey * (1 - unlabelled) + 128 * unlabelled
    cover = np.minimum(1, 2 * np.sqrt(share))  # thin scratches fill a small share of a reduced pixel; they should still be seen
    overlay = ground * (1 - cover) + color / np.maximum(share, 1e-6) * cover
    return _jpeg(view), _jpeg(np.clip(overlay, 0, 255).astype(np.uint8))


def _share(where: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """Which share of each pixel of a view of `size` (width, height) is true in `where`: float32 [h, w, 1], 0..1."""
    small = cv2.resize(where.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)[..., None] / np.float32(255)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)  # thin lines of colour would fade otherwise
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 82, *sampling))
    return data.tobytes()
