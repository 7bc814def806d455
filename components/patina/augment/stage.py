"""The augment stage: training and validation pictures in, one artifact of tiles out."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from patina.augment.donors import Patch, Pool, cut_patches, donor_pictures
from patina.augment.journal import Journal
from patina.augment.pictures import Cut, Surroundings, cut_picture
from patina.augment.rarity import Place, rarities
from patina.augment.scaling import decode_scaled
from patina.augment.settings import AugmentSettings
from patina.augment.sheet import Tally, write_sheet
from patina.core import config, provenance, storage
from patina.core.artifact import Manifest, open_artifact, seal
from patina.core.containers import DATA
from patina.core.errors import DataRefused, UsageError
from patina.core.pictures import single_threaded_opencv
from patina.core.raw import RawRow, iter_rows, read_index
from patina.core.session import Session
from patina.core.splits import read_splits
from patina.core.taxonomy import CLASS_NAMES
from patina.core.tiles import Geometry, Split, TileWriter

_AHEAD = 2
"""Pictures per worker that may be held at a time: bounds memory."""
Result = TypeVar("Result")


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

    With the setting `folds` at `all`, every picture of a k-fold split gives tiles of both kinds, for the fold it is in. A run
    that was killed goes on where it was when it is started again with the same arguments.

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
    inputs = {"raw": raw_manifest.digest, "splits": splits_manifest.digest}
    settled = {"tile_size": tile_size, "seed": seed, **chosen.model_dump(mode="json", exclude={"workers"})}
    places = _places(splits, chosen)
    index = read_index(raw)
    rare = rarities(index, places, chosen.rare_below)
    made_by = {"inputs": inputs, "config": settled, "code": provenance.source_digest(), "libraries": provenance.library_versions()}
    tally = Tally()
    with single_threaded_opencv(), Journal(tiles, storage.digest_of(made_by), tile_size) as journal:
        left = places.keys() - set(journal.finished)
        wanted = donor_pictures(index, places, rare, chosen.paste.per_class, seed) if chosen.pastes and left else {}
        around = Surroundings(geometry, chosen, rare, _pool(raw, places, wanted, geometry, chosen, seed), seed)

        def work(row: RawRow) -> tuple[str, list[Cut]]:
            return row.id, cut_picture(row, places[row.id], around)

        for done, (name, cuts) in enumerate(_in_parallel(work, iter_rows(raw, left), _workers(chosen)), start=len(places) - len(left) + 1):
            journal.add(name, cuts)
            if progress is not None:
                progress.report(done, len(places), "pictures")
        with TileWriter(tiles, geometry) as writer:
            for name in journal.finished:
                for image, mask, record in journal.tiles(name):
                    writer.add(image, mask, record)
                    tally.add(mask, record)
            _check(tally, places)
        write_sheet(tiles, tally)
        manifest = seal(tiles, "tiles", inputs=inputs, config=settled, image=DATA)
        journal.discard()
    return manifest


def _places(splits: Path, chosen: AugmentSettings) -> dict[str, Place]:
    """What becomes of each picture; those that give no tile are left out."""
    lines = read_splits(splits)
    columns = [lines[name].to_list() for name in ("id", "group", "split", "fold")]
    if chosen.folds == "split":
        return {name: Place(group, fold, (split,)) for name, group, split, fold in zip(*columns, strict=True) if split != "test"}
    folds = sorted(set(columns[3]))
    if folds != list(range(len(folds))) or len(folds) < 3:
        raise DataRefused(
            f"{splits} has the folds {folds}: tiles for all folds need a split into 3 or more, numbered from 0. "
            "Set the split stage's protocol to 'kfold', or augment's folds to 'split'."
        )
    return {name: Place(group, fold, ("train", "val")) for name, group, _, fold in zip(*columns, strict=True)}


def _pool(
    raw: Path, places: Mapping[str, Place], wanted: Mapping[str, Mapping[int, int]], geometry: Geometry, chosen: AugmentSettings, seed: int
) -> Pool:
    """The patches that may be pasted, cut from the pictures `wanted`; the same whatever the order of rows."""

    def work(row: RawRow) -> list[Patch]:
        picture, mask, _ = decode_scaled(row, geometry)
        return cut_patches(row.id, picture, mask, wanted[row.id], paste=chosen.paste, tile_size=geometry.tile_size, seed=seed)

    pool: dict[tuple[int, int], list[Patch]] = {}
    for patches in _in_parallel(work, iter_rows(raw, wanted), _workers(chosen)) if wanted else ():
        for patch in patches:
            pool.setdefault((places[patch.place.source].fold, patch.place.damage), []).append(patch)
    return {key: sorted(patches, key=lambda patch: (patch.place.source, patch.place.y, patch.place.x)) for key, patches in pool.items()}


def _workers(settings: AugmentSettings) -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.workers or min(8, usable)


def _in_parallel(work: Callable[[RawRow], Result], rows: Iterator[RawRow], workers: int) -> Iterator[Result]:
    """`work` on each of `rows`, in their order, a few ahead.

    Threads, not processes: decoding, resampling and random numbers run outside Python's lock, tiles need not be copied
    between processes, and nothing has to be imported again.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="augment") as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(work, row) for row in islice(rows, _AHEAD * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                for row in islice(rows, 1):
                    waiting.append(pool.submit(work, row))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _check(tally: Tally, places: Mapping[str, Place]) -> None:
    expected: dict[tuple[Split, int | None], int] = {("train", None): 0, ("val", None): 0}
    for place in places.values():
        for split in place.splits:  # a picture that gives both serves one fold, and every fold needs both
            part = split, place.fold if len(place.splits) > 1 else None
            expected[part] = expected.get(part, 0) + 1
    for (split, fold), pictures in expected.items():
        if not tally.count(split, fold=fold):
            raise DataRefused(
                f"no {split} tile came out of {pictures} {split} pictures{'' if fold is None else f' of fold {fold}'}: too few of their "
                "pixels are labelled. Lower min_valid_share, or give the split labelled pictures."
            )
    missing = np.flatnonzero((tally.pixels("val") > 0) & (tally.pixels("train") == 0))
    if len(missing):
        names = ", ".join(CLASS_NAMES[i] for i in missing)
        logging.getLogger(__name__).warning("in validation tiles but in no training tile: %s. No model can learn them.", names)
