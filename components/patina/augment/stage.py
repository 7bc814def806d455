"""The augment stage: training and validation pictures in, one artifact of tiles out."""

import logging
import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from patina.augment.pictures import Cut, Place, cut_picture
from patina.augment.settings import AugmentSettings
from patina.augment.sheet import Tally, write_sheet
from patina.core import config
from patina.core.artifact import Manifest, open_artifact, seal
from patina.core.containers import DATA
from patina.core.errors import DataRefused, UsageError
from patina.core.raw import RawRow, iter_rows, read_index
from patina.core.session import Session
from patina.core.splits import read_splits
from patina.core.taxonomy import CLASS_NAMES, NUM_CLASSES
from patina.core.tiles import Split, TileWriter

_AHEAD = 2
"""Pictures per worker that may be held at a time: bounds memory."""


def run(
    raw: Path | str,
    splits: Path | str,
    tiles: Path | str,
    *,
    tile_size: int = 384,
    seed: int = 0,
    settings: str = "{}",
    progress: Session | None = None,
) -> Manifest:
    """Cuts the pictures of `raw` that `splits` gives to training and validation into `tiles`; test pictures are not read.

    Args:
        raw: folder of a `raw` artifact.
        splits: folder of a `splits` artifact made from it.
        tiles: folder to write.
        tile_size: side of a tile in pixels, 32..4096.
        seed: not negative; with equal inputs it gives equal bytes, whatever the number of workers.
        settings: JSON of `AugmentSettings`.
        progress: told after each picture.

    Raises:
        DataRefused: a damaged input, splits of other pictures, or no training or no validation tile.
        UsageError: unknown or wrong settings.
        StorageError: `tiles` cannot be written.
    """
    raw, splits, tiles = Path(raw), Path(splits), Path(tiles)
    chosen = config.parse(AugmentSettings, settings, "augment settings")
    if seed < 0 or not 32 <= tile_size <= 4096:
        raise UsageError(f"tile_size {tile_size} and seed {seed}: expected 32 <= tile_size <= 4096 and seed >= 0.")
    geometry = chosen.tile_geometry(tile_size)
    raw_manifest, splits_manifest = open_artifact(raw, "raw"), open_artifact(splits, "splits")
    if splits_manifest.inputs.get("raw", raw_manifest.digest) != raw_manifest.digest:
        raise DataRefused(f"{splits} was made from another raw artifact than {raw}. Connect the one that split read.")
    lines = read_splits(splits)
    columns = (lines[name].to_list() for name in ("id", "group", "split", "fold"))
    places = {name: Place(group, split, fold) for name, group, split, fold in zip(*columns, strict=True) if split != "test"}
    rarity = rarest_first(raw, {name for name, place in places.items() if place.split == "train"})

    def work(row: RawRow) -> list[Cut]:
        return cut_picture(row, places[row.id], geometry=geometry, settings=chosen, rarity=rarity, seed=seed)

    tally = Tally()
    with _single_threaded_opencv(), TileWriter(tiles, geometry) as writer:
        for done, cuts in enumerate(_in_parallel(work, iter_rows(raw, places), _workers(chosen)), start=1):
            for image, mask, record in cuts:
                writer.add(image, mask, record)
                tally.add(mask, record)
            if progress is not None:
                progress.report(done, len(places), "pictures")
        _check(tally, places)
    write_sheet(tiles, tally)
    return seal(
        tiles,
        "tiles",
        inputs={"raw": raw_manifest.digest, "splits": splits_manifest.digest},
        config={"tile_size": tile_size, "seed": seed, **chosen.model_dump(mode="json", exclude={"workers"})},
        image=DATA,
    )


def rarest_first(raw: Path, training: Collection[str]) -> list[int]:
    """The damage classes that the pictures `training` hold, by their number of pixels there, rarest first."""
    index = read_index(raw)
    pixels = np.zeros(NUM_CLASSES, np.int64)
    for name, counts in zip(index["id"], index["pixels"], strict=True):
        if name in training:
            pixels += counts
    return [damage for damage in np.argsort(pixels, kind="stable").tolist() if damage and pixels[damage]]


def _workers(settings: AugmentSettings) -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.workers or min(8, usable)


def _in_parallel(work: Callable[[RawRow], list[Cut]], rows: Iterator[RawRow], workers: int) -> Iterator[list[Cut]]:
    """`work` on each of `rows`, in their order, a few ahead.

    Threads, not processes: decoding, resampling and random numbers run outside Python's lock, tiles need not be copied
    between processes, and nothing has to be imported again.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="augment") as pool:
        waiting: deque[Future[list[Cut]]] = deque(pool.submit(work, row) for row in islice(rows, _AHEAD * workers))
        try:
            while waiting:
                cuts = waiting.popleft().result()
                for row in islice(rows, 1):
                    waiting.append(pool.submit(work, row))
                yield cuts
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _single_threaded_opencv() -> Generator[None]:
    """One thread per picture is enough; OpenCV's own would fight with them for the cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _check(tally: Tally, places: Mapping[str, Place]) -> None:
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        if not tally.count(split):
            pictures = sum(place.split == split for place in places.values())
            raise DataRefused(
                f"no {split} tile came out of {pictures} {split} pictures: too few of their pixels are labelled. "
                "Lower min_valid_share, or give the split labelled pictures."
            )
    missing = np.flatnonzero((tally.pixels("val") > 0) & (tally.pixels("train") == 0))
    if len(missing):
        names = ", ".join(CLASS_NAMES[i] for i in missing)
        logging.getLogger(__name__).warning("in validation tiles but in no training tile: %s. No model can learn them.", names)
