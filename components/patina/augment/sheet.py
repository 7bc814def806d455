"""The contact sheet of a tile set: what came out, at a glance, in one self-contained HTML file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from patina.core import page, storage
from patina.core.taxonomy import CLASSES, IGNORE, NUM_CLASSES, palette
from patina.core.tiles import IMAGES, MASKS, TABLE, Level, Split, TileRecord

SHEET = "tiles.html"
_SHOWN = 4
_SIDE = 200
_SPLITS: tuple[Split, ...] = ("train", "val")
_LEVELS: tuple[Level, ...] = ("original", "light", "medium", "heavy")


class Tally:
    """Counts tiles and labelled pixels while a tile set is written."""

    def __init__(self) -> None:
        self._tiles: Counter[tuple[Split, Level]] = Counter()
        self._pixels = {split: np.zeros(NUM_CLASSES, np.int64) for split in _SPLITS}
        self._holding = {split: np.zeros(NUM_CLASSES, np.int64) for split in _SPLITS}
        self._richest: dict[tuple[Split, str], tuple[int, tuple[int, int]]] = {}

    def add(self, mask: NDArray[np.uint8], record: TileRecord) -> None:
        """Counts one tile."""
        pixels = np.bincount(mask.reshape(-1), minlength=256)[:NUM_CLASSES]
        self._tiles[record.split, record.level] += 1
        self._pixels[record.split] += pixels
        self._holding[record.split] += pixels > 0
        if record.level == "original":
            key = record.split, record.source
            classes = int(np.count_nonzero(pixels[1:]))
            if key not in self._richest or classes > self._richest[key][0]:
                self._richest[key] = classes, (record.x, record.y)

    def count(self, split: Split, level: Level | None = None) -> int:
        """Tiles of `split`, of one level or of all."""
        return sum(count for (where, strength), count in self._tiles.items() if where == split and level in (None, strength))

    def sources(self, split: Split) -> int:
        """Pictures that gave a tile to `split`."""
        return sum(where == split for where, _ in self._richest)

    def richest(self, split: Split, count: int) -> list[tuple[str, int, int]]:
        """(source, x, y) of the unchanged tiles with the most kinds of damage, one per picture, at most `count`."""
        ranked = sorted((-classes, source, place) for (where, source), (classes, place) in self._richest.items() if where == split)
        return [(source, *place) for _, source, place in ranked[:count]]

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
        page.paragraph(
            f"Training tiles come from {tally.sources('train')} pictures, validation tiles from {tally.sources('val')} others and are "
            "never changed. Test pictures are not here."
        ),
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
    training = [_one_per_level(rows, place) for place in tally.richest("train", _SHOWN)]
    validation = [tile for place in tally.richest("val", _SHOWN) for tile in _one_per_level(rows, place)]
    sections += [page.pictures(_figure(images[i], masks[i], rows[i]) for i in tiles) for tiles in training]
    sections += [page.heading("Validation windows"), page.pictures(_figure(images[i], masks[i], rows[i]) for i in validation)]
    storage.write_text(folder / SHEET, page.page(f"{len(rows):,} tiles of {images.shape[1]} px", sections))


def _cells(tally: Tally, split: Split, damage: int) -> tuple[str, int]:
    pixels = tally.pixels(split)
    share = f"{100 * pixels[damage] / max(1, pixels.sum()):.3f} %" if pixels[damage] else "none"
    return share, int(tally.holding(split)[damage])


def _one_per_level(rows: list[dict[str, Any]], place: tuple[str, int, int]) -> list[int]:
    """Tile numbers of the window at `place`: the original and the first copy of each level."""
    tiles: dict[str, int] = {}
    for tile, row in enumerate(rows):
        if (row["source"], row["x"], row["y"]) == place:
            tiles.setdefault(row["level"], tile)
    return list(tiles.values())


def _figure(image: NDArray[np.uint8], mask: NDArray[np.uint8], row: dict[str, Any]) -> tuple[list[bytes], str]:
    names = ", ".join(transform["name"] for transform in json.loads(row["transforms"])) or "unchanged"
    caption = f"{row['level']}: {names}"
    if row["level"] == "original":
        caption += f" · {row['source']} at {row['x']}, {row['y']}"
    return [_jpeg(_enlarged(image)), _jpeg(_outlined(image, mask))], caption


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
