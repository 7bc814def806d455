# pyright: standard
# (pandas ships no types that strict could read)
"""Sets of pictures as the leak check reads them: raw artifacts, tiles artifacts, and plain folders of picture files.

A set knows names, groups, donors and digests at once; its pictures are read one after the other, as often as they are asked
for, so that memory holds a few of them whatever the size of the set.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.artifact import MANIFEST, open_artifact, read_manifest
from patina.core.errors import DataRefused, UsageError
from patina.core.pictures import decode_picture
from patina.core.raw import iter_rows, read_index
from patina.core.storage import sha256_file
from patina.core.tiles import Split, Tiles, open_tiles

ENDINGS: Final = (".jpeg", ".jpg", ".png", ".tif", ".tiff")
_CANVAS_PIXELS: Final = 1 << 20
"""Largest picture rebuilt from tiles, in pixels."""
_SPARSE: Final = 0.5
"""Where the tiles cover less than this share of the rebuilt picture, the best of them are shown on their own as well."""
_ALONE: Final = 2
_LEAST_ALONE: Final = 128
"""Pixels: a smaller tile shows too little to be recognised on its own."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One picture of a set, or what its tiles show of it.

    Attributes:
        name: id of the picture, or the path of its file within the folder.
        pixels: uint8 [H, W, 3].
        shown: bool [H, W], False where no tile lies; None if all is shown.
        area: how many pixels of the original picture it spans.
        of: what part of the picture it is, in words.
    """

    name: str
    pixels: NDArray[np.uint8]
    shown: NDArray[np.bool_] | None
    area: float
    of: Literal["whole picture", "picture rebuilt from its tiles", "single tile"]


@dataclass(frozen=True, eq=False)
class PictureSet:
    """A set of pictures.

    Attributes:
        name: what a report calls it.
        names: of its pictures, sorted: ids of the sources, or paths of files.
        identified: whether these names are ids that mean the same picture wherever they occur; file names do not.
        groups: names of the pictures of each group; empty where the set knows no groups.
        donors: for each id that damage was taken from, one picture that received it.
        files: name of one picture for each SHA-256 of a file, or of a tile's pixels.
        hashed: what the digests are of.
        read: yields the pictures, or those with the given names.
    """

    name: str
    names: tuple[str, ...]
    identified: bool
    files: Mapping[str, str]
    hashed: Literal["files", "tiles"]
    read: Callable[[Collection[str] | None], Iterator[Shown]]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    donors: Mapping[str, str] = field(default_factory=dict[str, str])


def open_set(
    place: Path | str, *, split: Split | None = None, fold: int | None = None, groups: Mapping[str, str] | None = None
) -> PictureSet:
    """Opens the set in the folder `place`.

    Args:
        place: a `raw` artifact, a `tiles` artifact, or a folder with PNG, JPEG or TIFF files, also in folders below it.
        split: the tiles of one side only; for tiles artifacts.
        fold: the fold that is tested, for tiles made for cross-validation: its tiles are no part of the set.
        groups: group of each id of a raw artifact, which itself knows none.

    Raises:
        DataRefused: no such folder, another kind of artifact, a damaged one, or no picture.
        UsageError: `split` or `fold` for a set that is not of tiles.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise DataRefused(f"{folder} is no folder. Expected a raw artifact, a tiles artifact, or a folder of pictures.")
    kind = read_manifest(folder).kind if (folder / MANIFEST).is_file() else "folder"
    if kind != "tiles" and (split is not None or fold is not None):
        raise UsageError(f"{folder} is no tiles artifact: it has no side {split or fold!r}. Leave that out.")
    match kind:
        case "tiles":
            return _tiles_set(folder, split, fold)
        case "raw":
            return _raw_set(folder, groups or {})
        case "folder":
            return _folder_set(folder)
        case _:
            raise DataRefused(f"{folder} is an artifact of kind {kind!r}, expected raw, tiles, or a folder of pictures.")


def open_named(text: str) -> PictureSet:
    """Opens the set that a person named: a folder, or `FOLDER:train` and `FOLDER:val` for one side of a tiles artifact.

    Raises:
        DataRefused: as `open_set`.
        UsageError: likewise.
    """
    place, _, side = text.rpartition(":")
    if place and not Path(text).exists():
        if side in ("train", "val"):
            return open_set(place, split=side)
        raise UsageError(f"{text!r}: no such folder, and {side!r} is no side of a tiles artifact. Sides: train, val.")
    return open_set(text)


def _raw_set(folder: Path, groups: Mapping[str, str]) -> PictureSet:
    open_artifact(folder, "raw")
    index = read_index(folder)
    names: list[str] = index["id"].to_list()

    def read(wanted: Collection[str] | None) -> Iterator[Shown]:
        for row in iter_rows(folder, wanted):
            yield _whole(row.id, row.image)

    return PictureSet(
        name=f"pictures of {folder.name}",
        names=tuple(sorted(names)),
        identified=True,
        files=dict(zip(index["sha256"].to_list(), names, strict=True)),
        hashed="files",
        read=read,
        groups=_by_group({name: groups[name] for name in names if name in groups}),
    )


def _folder_set(folder: Path) -> PictureSet:
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS}
    if not paths:
        raise DataRefused(f"{folder} holds no artifact and no picture ({', '.join(ENDINGS)}). Name the folder that holds them.")

    def read(wanted: Collection[str] | None) -> Iterator[Shown]:
        for name, path in paths.items():
            if wanted is None or name in wanted:
                yield _whole(name, path.read_bytes())

    digests = {sha256_file(path): name for name, path in paths.items()}
    return PictureSet(f"files in {folder.name}", tuple(paths), identified=False, files=digests, hashed="files", read=read)


def _tiles_set(folder: Path, split: Split | None, fold: int | None) -> PictureSet:
    tiles = open_tiles(folder)
    sides: tuple[Split, ...] = ("train", "val") if split is None else (split,)
    every = split is None and fold is None
    rows = np.arange(len(tiles.table)) if every else np.concatenate([tiles.rows(side, fold) for side in sides])
    table = tiles.table.iloc[np.sort(rows)]
    sources: list[str] = table["source"].to_list()

    def read(wanted: Collection[str] | None) -> Iterator[Shown]:
        order = sorted(zip(sources, table["level"] != "original", table["tile"], strict=True))
        for source, lines in groupby(order, key=lambda line: line[0]):
            if wanted is None or source in wanted:
                levels = [(changed, tile) for _, changed, tile in lines]
                least = levels[0][0]  # changed copies only where a source has nothing else
                yield from _from_tiles(tiles, source, [tile for changed, tile in levels if changed == least])

    donors = {donor: source for source, text in zip(sources, table["donors"], strict=True) for donor in json.loads(text)}
    side = {None: "tiles", "train": "training tiles", "val": "validation tiles"}[split]
    return PictureSet(
        name=f"{side} of {folder.name}",
        names=tuple(sorted(set(sources))),
        identified=True,
        files={_digest(tiles, tile): source for source, tile in zip(sources, table["tile"], strict=True)},
        hashed="tiles",
        read=read,
        groups=_by_group(dict(zip(sources, table["group"], strict=True))),
        donors=donors,
    )


def _digest(tiles: Tiles, tile: int) -> str:
    return hashlib.sha256(np.ascontiguousarray(tiles.images[tile]).data).hexdigest()


def _by_group(groups: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    members: dict[str, list[str]] = {}
    for name in sorted(groups):
        members.setdefault(groups[name], []).append(name)
    return {group: tuple(names) for group, names in members.items()}


def _whole(name: str, data: bytes) -> Shown:
    try:
        pixels = decode_picture(data)
    except DataRefused as error:
        raise DataRefused(f"{name}: {error}") from error
    return Shown(name, pixels, None, pixels.shape[0] * pixels.shape[1], "whole picture")


def _from_tiles(tiles: Tiles, source: str, chosen: list[int]) -> Iterator[Shown]:
    """The picture put together again from its tiles `chosen`, and the best of them alone where they leave most of it open."""
    places = tiles.table.iloc[chosen]
    left, top = places["x"].to_numpy(), places["y"].to_numpy()
    wide, high = places["width"].to_numpy(), places["height"].to_numpy()
    first = int(left.min()), int(top.min())
    width, height = int((left + wide).max()) - first[0], int((top + high).max()) - first[1]
    factor = min(1.0, (_CANVAS_PIXELS / (width * height)) ** 0.5)
    native = float(places["scale"].iloc[0]) ** 2
    canvas = np.zeros((max(1, round(height * factor)), max(1, round(width * factor)), 3), np.uint8)
    shown = np.zeros(canvas.shape[:2], np.bool_)
    for tile, x, y, w, h in zip(chosen, left - first[0], top - first[1], wide, high, strict=True):
        columns, rows = (slice(round(a * factor), max(round(b * factor), round(a * factor) + 1)) for a, b in ((x, x + w), (y, y + h)))
        target = canvas[rows, columns]
        target[:] = cv2.resize(tiles.images[tile][:h, :w], target.shape[1::-1], interpolation=cv2.INTER_AREA)
        shown[rows, columns] = True
    yield Shown(source, canvas, shown, width * height / native, "picture rebuilt from its tiles")
    if len(chosen) > 1 and shown.mean() < _SPARSE and tiles.geometry.tile_size >= _LEAST_ALONE:
        for place in np.linspace(0, len(chosen) - 1, min(_ALONE, len(chosen))).round().astype(int).tolist():
            pixels = np.array(tiles.images[chosen[place]][: high[place], : wide[place]])
            yield Shown(source, pixels, None, pixels.shape[0] * pixels.shape[1] / native, "single tile")
