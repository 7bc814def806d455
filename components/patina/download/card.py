"""The data card: what the pictures are, where they come from and what their masks look like, on one page."""

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core import page
from patina.core.raw_report import RawReport
from patina.core.taxonomy import CLASS_NAMES, CLASSES, IGNORE, palette
from patina.download.check import CheckedRow

_EXAMPLES = 12
_HEIGHT = 220
_SHOWN_SIDE = 1600


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
        self.figures.append((list(_views(checked.picture, checked.mask)), caption))


def data_card(report: RawReport, examples: Examples) -> str:
    """The card as HTML."""
    left_out = [page.note(f"Left out: {row.id} ({row.reason})") for row in report.quarantined]
    classes = [
        (kind.name, report.class_pictures[kind.name], report.class_pixels[kind.name], _percent(report.class_pixels, kind.name))
        for kind in CLASSES
    ]
    sizes = [(name, *(value if name == "megapixels" else round(value) for value in spread)) for name, spread in report.sizes.items()]
    return page.page(
        f"Data card: {report.pictures} pictures",
        (
            page.paragraph(f"Source: {report.source}. Licence: {report.licence}."),
            page.paragraph(f"Cite: {report.citation}" if report.citation else "Nothing to cite."),
            page.paragraph(f"{report.labelled_share:.1%} of all pixels carry a class; the rest is 255 and counts nowhere."),
            *left_out,
            *(page.paragraph(f"On reading: {count} × {what}.", quiet=True) for what, count in report.conversions.items()),
            page.heading("Examples: picture, and damage in the colours below (grey: no label)"),
            page.pictures(examples.figures),
            page.heading("Classes"),
            page.table(("Class", "Pictures", "Pixels", "% of labelled"), classes, [kind.color for kind in CLASSES]),
            page.columns(
                page.heading("Materials") + page.table(("Material", "Pictures"), report.materials.items()),
                page.heading("Contents") + page.table(("Content", "Pictures"), report.contents.items()),
                page.heading("Types") + page.table(("Type", "Pictures"), report.types.items()),
                page.heading("Sizes") + page.table(("", "smallest", "median", "largest"), sizes),
            ),
        ),
    )


def _percent(pixels: dict[str, int], name: str) -> float:
    return 100 * pixels[name] / max(1, sum(pixels.values()))


def _views(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """The picture, and the same paled with damage coloured, as JPEG files 220 px high."""
    height, width = mask.shape
    step = max(1, max(height, width) // _SHOWN_SIDE)
    small, labels = picture[::step, ::step], mask[::step, ::step]
    size = (max(1, min(3 * _HEIGHT, round(_HEIGHT * width / height))), _HEIGHT)
    view = cv2.resize(np.ascontiguousarray(small), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    damage = ((labels != 0) & (labels != IGNORE)).astype(np.float32)
    color = cv2.resize(palette()[labels].astype(np.float32) * damage[..., None], size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(damage, size, interpolation=cv2.INTER_AREA)[..., None]
    unlabelled = cv2.resize((labels == IGNORE).astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
    grey = view.mean(axis=2, keepdims=True) * 0.5 + 115
    ground = grey * (1 - unlabelled) + 128 * unlabelled
    cover = np.minimum(1, 4 * share)  # thin scratches fill a small share of a reduced pixel; they should still be seen
    overlay = ground * (1 - cover) + color / np.maximum(share, 1e-6) * cover
    return _jpeg(view), _jpeg(np.clip(overlay, 0, 255).astype(np.uint8))


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 82))
    return data.tobytes()
