"""The contact sheet of a tile set: what came out, at a glance, in one self-contained HTML file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from patina.augment.donors import PASTE
from patina.core import page, storage
from patina.core.taxonomy import CLASS_NAMES, CLASSES, IGNORE, NUM_CLASSES, palette
from patina.core.tiles import IMAGES, MASKS, TABLE, Level, Split, TileRecord

SHEET = "tiles.html"
_SHOWN = 4
_SIDE = 200
_SPLITS: tuple[Split, ...] = ("train", "val")
_LEVELS: tuple[Level, ...] = ("original", "light", "medium", "heavy")


class Tally:
    """Counts tiles and labelled pixels while a tile set is written."""

    def __init__(self) -> None:
        self._tiles: Counter[tuple[Split, Level, int]] = Counter()
        self._pixels = {split: np.zeros(NUM_CLASSES, np.int64) for split in _SPLITS}
        self._holding = {split: np.zeros(NUM_CLASSES, np.int64) for split in _SPLITS}
        self._levels: dict[tuple[Split, str, int, int], set[Level]] = {}
        self._classes: dict[tuple[Split, str, int, int], int] = {}

    def add(self, mask: NDArray[np.uint8], record: TileRecord) -> None:
        """Counts one tile."""
        pixels = np.bincount(mask.reshape(-1), minlength=256)[:NUM_CLASSES]
        self._tiles[record.split, record.level, record.fold] += 1
        self._pixels[record.split] += pixels
        self._holding[record.split] += pixels > 0
        window = record.split, record.source, record.x, record.y
        self._levels.setdefault(window, set()).add(record.level)
        if record.level == "original":
            self._classes[window] = int(np.count_nonzero(pixels[1:]))

    def count(self, split: Split, level: Level | None = None, fold: int | None = None) -> int:
        """Tiles of `split`, of one level and fold or of all."""
        return sum(
            count
            for (where, strength, part), count in self._tiles.items()
            if where == split and level in (None, strength) and fold in (None, part)
        )

    def sources(self, split: Split) -> set[str]:
        """Pictures that gave a tile to `split`."""
        return {source for where, source, _, _ in self._classes if where == split}

    def richest(self, split: Split, count: int) -> list[tuple[Split, str, int, int]]:
        """(split, source, x, y) of at most `count` windows, one per picture: most levels of copies first, then most damage."""
        ranked = sorted((-len(self._levels[window]), -classes, *window) for window, classes in self._classes.items() if window[0] == split)
        best: dict[str, tuple[Split, str, int, int]] = {}
        for _, _, _, source, x, y in ranked:
            best.setdefault(source, (split, source, x, y))
        return list(best.values())[:count]

    def pixels(self, split: Split) -> NDArray[np.int64]:
        """Pixels per class: int64 [16]."""
        return self._pixels[split]

    def holding(self, split: Split) -> NDArray[np.int64]:
        """Tiles that hold each class: int64 [16]."""
        return self._holding[split]


def write_sheet(folder: Path, tally: Tally) -> None:
    """Writes `tiles.html` into the folder of a finished tile set: counts per level and class, and examples with outlines."""
    images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    masks = np.load(folder / MASKS, mmap_mode="r", allow_pickle=False)
    rows = pq.read_table(folder / TABLE).to_pylist()
    sections = [
        page.paragraph(_introduction(tally)),
        page.table(
            ("Tiles", *_LEVELS, "all"),
            [
                ("Training", *(tally.count("train", level) for level in _LEVELS), tally.count("train")),
                ("Validation", *(tally.count("val", level) for level in _LEVELS), tally.count("val")),
            ],
        ),
        page.heading("Labelled pixels"),
        page.table(
            ("Class", "Training share", "Training tiles", "Validation share", "Validation tiles"),
            [(damage.name, *_cells(tally, "train", damage.id), *_cells(tally, "val", damage.id)) for damage in CLASSES],
            keys=[damage.color for damage in CLASSES],
        ),
        page.heading("Training windows and their changed copies"),
        page.paragraph("Beside each tile, the same with its labels outlined in the colours above. Pixels that never count are hatched."),
    ]
    training = [_one_per_level(rows, window) for window in tally.richest("train", _SHOWN)]
    validation = [tile for window in tally.richest("val", _SHOWN) for tile in _one_per_level(rows, window)]
    for tiles in training:
        sections.append(page.paragraph(f"{rows[tiles[0]]['source']} at {rows[tiles[0]]['x']}, {rows[tiles[0]]['y']}", quiet=True))
        # Two to a line: original and light above, medium and heavy below.
        sections += [page.pictures(_figure(images[i], masks[i], rows[i]) for i in tiles[k : k + 2]) for k in range(0, len(tiles), 2)]
    sections += [page.heading("Validation windows"), page.pictures(_figure(images[i], masks[i], rows[i]) for i in validation)]
    storage.write_text(folder / SHEET, page.page(f"{len(rows):,} tiles of {images.shape[1]} px", sections))


def _introduction(tally: Tally) -> str:
    training, validation = tally.sources("train"), tally.sources("val")
    if training & validation:
        return (
            f"One tile set for every fold of a cross-validation: {len(training | validation)} pictures give training tiles and, unchanged, "
            "validation tiles. A training takes both by fold, never from the same picture."
        )
    return (
        f"Training tiles come from {len(training)} pictures, validation tiles from {len(validation)} others and are never changed. "
        "Test pictures are not here."
    )


def _cells(tally: Tally, split: Split, damage: int) -> tuple[str, int]:
    pixels = tally.pixels(split)
    share = f"{100 * pixels[damage] / max(1, pixels.sum()):.3f} %" if pixels[damage] else "none"
    return share, int(tally.holding(split)[damage])


def _one_per_level(rows: list[dict[str, Any]], window: tuple[Split, str, int, int]) -> list[int]:
    """Tile numbers of one window: the original and the first copy of each level."""
    tiles: dict[str, int] = {}
    for tile, row in enumerate(rows):
        if (row["split"], row["source"], row["x"], row["y"]) == window:
            tiles.setdefault(row["level"], tile)
    return list(tiles.values())


def _figure(image: NDArray[np.uint8], mask: NDArray[np.uint8], row: dict[str, Any]) -> tuple[list[bytes], str]:
    changes = ", ".join(_named(transform) for transform in json.loads(row["transforms"]))
    caption = f"{row['level']}: {changes}" if row["split"] == "train" else f"{row['source']} at {row['x']}, {row['y']}"
    if row["level"] == "original" and row["split"] == "train":
        caption = "original"
    return [_jpeg(_enlarged(image)), _jpeg(_outlined(image, mask))], caption


def _named(transform: dict[str, Any]) -> str:
    """What the caption says of one transform."""
    name = transform["name"].replace("_", " ")
    return f"{name} of {CLASS_NAMES[transform['damage']]} from {transform['source']}" if transform["name"] == PASTE else name


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()


def _enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrinks = image.shape[0] > _SIDE
    return cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC).astype(np.uint8)


def _outlined(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image at the sheet's size, each class outlined in its colour, ignored pixels hatched."""
    shown, labels = _enlarged(image), cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    colors = palette()
    for value in np.unique(labels).tolist():
        if value not in (0, IGNORE):
            outlines, _ = cv2.findContours(np.where(labels == value, np.uint8(1), np.uint8(0)), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, outlines, -1, colors[value].tolist(), 1)
    y, x = np.indices(labels.shape)
    hatch = (labels == IGNORE) & ((x + y) % 8 < 2)
    shown[hatch] = colors[IGNORE]
    return shown
