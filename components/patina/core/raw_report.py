# pyright: standard
# (pyarrow and pandas ship no types that strict could read)
"""The report of a `raw` artifact: where the pictures come from, what was left out, and what the rest holds."""

from pathlib import Path
from typing import Final

import numpy as np

from patina.core import storage
from patina.core.config import Config
from patina.core.errors import DataRefused
from patina.core.raw import read_index
from patina.core.taxonomy import CLASS_NAMES

REPORT: Final = "report.json"


class Quarantined(Config):
    """A row that was left out."""

    id: str
    """Its id."""
    reason: str
    """Why, in one line."""


class RawReport(Config):
    """What `report.json` holds: where the rows come from and what they are."""

    source: str
    """Where the rows were read: `generated sample`, a folder's name, or hub id @ revision."""
    licence: str
    """Licence of the data, or that it has none."""
    citation: str
    """What a publication that uses the data must name; empty for the generated sample."""
    pictures: int
    """Number of rows."""
    quarantined: list[Quarantined]
    """Rows that were left out, with reasons."""
    conversions: dict[str, int]
    """How many pictures or masks are converted on reading, by what: pixel format other than RGB, transparency, EXIF orientation,
    mask in colours."""
    labelled_share: float
    """Pixels with a class / all pixels, 0..1."""
    class_pixels: dict[str, int]
    """Pixels per class name."""
    class_pictures: dict[str, int]
    """Pictures in which the class occurs, per class name."""
    materials: dict[str, int]
    """Pictures per material."""
    contents: dict[str, int]
    """Pictures per content."""
    types: dict[str, int]
    """Pictures per type."""
    sizes: dict[str, tuple[float, float, float]]
    """Smallest, median and largest `width`, `height` (pixels) and `megapixels`."""


def write_report(
    folder: Path,
    *,
    source: str,
    licence: str,
    citation: str,
    quarantined: list[Quarantined],
    conversions: dict[str, int],
) -> RawReport:
    """Counts the rows of the shards in `folder` and writes `report.json` beside them."""
    index = read_index(folder)
    pixels = np.array(index["pixels"].tolist(), np.int64)
    width, height = np.array(index["width"], np.int64), np.array(index["height"], np.int64)
    report = RawReport(
        source=source,
        licence=licence,
        citation=citation,
        pictures=len(index),
        quarantined=quarantined,
        conversions=conversions,
        labelled_share=float(pixels.sum() / (width * height).sum()),
        class_pixels=dict(zip(CLASS_NAMES, pixels.sum(0).tolist(), strict=True)),
        class_pictures=dict(zip(CLASS_NAMES, (pixels > 0).sum(0).tolist(), strict=True)),
        materials=_frequencies(index["material"].tolist()),
        contents=_frequencies(index["content"].tolist()),
        types=_frequencies(index["type"].tolist()),
        sizes={
            name: (float(values.min()), float(np.median(values)), float(values.max()))
            for name, values in (("width", width), ("height", height), ("megapixels", width * height / 1e6))
        },
    )
    storage.write_json(folder / REPORT, report.model_dump(mode="json"))
    return report


def read_report(folder: Path | str) -> RawReport:
    """The report of a `raw` artifact.

    Raises:
        DataRefused: missing, or not a report.
    """
    path = Path(folder) / REPORT
    try:
        return RawReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataRefused(f"{path} should be the report of a raw artifact, but: {reason}. Run download again.") from error


def _frequencies(values: list[str]) -> dict[str, int]:
    return {value: values.count(value) for value in sorted(set(values))}
