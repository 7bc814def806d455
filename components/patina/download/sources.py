"""Where rows come from: the generator, a folder of shards or of a museum's scans, the pinned data set on the hub, or a mirror of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from patina.core.errors import DataRefused, UsageError
from patina.download.check import Masks
from patina.download.groups import shard_groups
from patina.download.hub import DATASET, PICTURES, REVISION, read_hub
from patina.download.museum import IMAGES, MASKS, open_museum
from patina.download.rows import SourceRow, check_shard, read_shard
from patina.download.table import TABLE

_ARTEFACT = (
    "Ivanova, Aversa, Henderson, Williamson: ARTeFACT: Benchmarking Segmentation Models on Diverse Analogue Media Damage. "
    "WACV 2025, arXiv 2412.04580."
)


@dataclass(frozen=True)
class Source:
    """Rows that wait to be read.

    Attributes:
        name: for the report.
        licence: of the data.
        citation: what a publication must name, or "".
        pictures: how many rows to expect.
        rows: the rows, read while they are asked for.
        masks: how the rows hold their masks.
        pinned: whether rows of a known data set come, all `pictures` of which together show every class.
        groups: group column -> id -> name of the group.
        notes: what the reader of the data card should know besides.
    """

    name: str
    licence: str
    citation: str
    pictures: int
    rows: Iterator[SourceRow]
    masks: Masks = "pair"
    pinned: bool = False
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])
    notes: tuple[str, ...] = ()


def open_source(data: str, *, pictures: int, seed: int, scratch: Path) -> Source:
    """The source that `data` names.

    Args:
        data: `sample`, a folder, `hf://danielaivanova/damaged-media`, or `s3://bucket/prefix` that `patina mirror` filled.
        pictures: how many the generator makes.
        seed: of the generator.
        scratch: folder for what does not fit into memory; shards of the hub that an earlier call left there are not fetched again.

    Raises:
        UsageError: `data` names something that patina does not read, or a count or seed out of range.
        DataRefused: no such folder, or neither ARTeFACT's schema nor a museum's scans in it.
    """
    if data == "sample":
        return _sample(pictures, seed)
    if data.startswith("hf://"):
        if data.removeprefix("hf://") != DATASET:
            raise UsageError(f"data {data!r} is not known: of the hub, only hf://{DATASET} is read. Use that or a folder.")
        name = f"hf://{DATASET} at revision {REVISION[:12]}"
        return Source(name, "AFL-3.0", _ARTEFACT, PICTURES, read_hub(scratch, keep=True), pinned=True)
    if data.startswith("s3://"):
        return _mirrored(data, scratch)
    if "://" in data:
        raise UsageError(f"data {data!r} is not known: expected sample, a folder, s3://bucket/prefix, or hf://{DATASET}.")
    return _folder(Path(data), scratch)


def _mirrored(url: str, scratch: Path) -> Source:
    """The data set that `patina mirror` copied to `url`."""
    from patina.core.bucket_index import fetch_data

    origin = fetch_data(url, scratch / "mirror")
    source = _folder(scratch / "mirror", scratch)
    if origin == f"hf://{DATASET}@{REVISION}":
        return replace(source, name=f"{origin} at {url}", licence="AFL-3.0", citation=_ARTEFACT, pinned=True)
    return replace(source, name=f"{origin} at {url}")


def _folder(folder: Path, scratch: Path) -> Source:
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataRefused(f"data folder {folder} {problem}. Give the folder that holds the Parquet shards or {IMAGES} and {MASKS}.")
    shards = sorted(folder.glob("*.parquet")) or sorted((folder / "data").glob("*.parquet"))
    scans = [name for name in (IMAGES, MASKS) if (folder / name).is_dir()]
    if shards and len(scans) == 2:
        raise DataRefused(f"data folder {folder} holds Parquet shards as well as {IMAGES} and {MASKS}. Keep one of them there.")
    if scans and not shards:
        return _museum(folder)
    if not shards:
        raise DataRefused(
            f"data folder {folder} holds no *.parquet, nor does its folder data. Expected shards in ARTeFACT's schema, "
            f"or the folders {IMAGES} and {MASKS}."
        )
    expected = sum(check_shard(shard) for shard in shards)
    return Source(
        name=f"folder {folder.resolve().name}",
        licence="AFL-3.0 for pictures of ARTeFACT; for others their owner's",
        citation=f"For pictures of ARTeFACT: {_ARTEFACT}",
        pictures=expected,
        rows=_shard_rows(shards, expected, scratch),
        groups=shard_groups(shards),
    )


def _shard_rows(shards: Sequence[Path], expected: int, scratch: Path) -> Iterator[SourceRow]:
    scratch.mkdir(exist_ok=True)
    found = 0
    for shard in shards:
        for row in read_shard(shard, scratch):
            found += 1
            yield row
            del row  # or its files would stay in memory while the next row is read
    if found != expected:
        raise DataRefused(f"{shards[0].parent} announces {expected} rows, but {found} came. Fetch the shards again.")


def _museum(folder: Path) -> Source:
    museum = open_museum(folder)
    unread = museum.table.unread
    return Source(
        name=f"folder {folder.resolve().name}",
        licence=museum.licence or "not stated: the folder has no file LICENCE",
        citation=museum.citation,
        pictures=len(museum.pictures),
        rows=museum.rows(),
        masks="single",
        groups=museum.table.groups,
        notes=(f"Columns of {TABLE} that were not read: {', '.join(unread)}.",) if unread else (),
    )


def _sample(pictures: int, seed: int) -> Source:
    if pictures < 1 or seed < 0:
        raise UsageError(f"pictures = {pictures}, seed = {seed}: expected at least one picture and a seed of 0 or more.")
    return Source(
        name=f"generated sample, seed {seed}",
        licence="none: generated pictures, not photographs of objects",
        citation="",
        pictures=pictures,
        rows=_sample_rows(pictures, seed),
    )


def _sample_rows(pictures: int, seed: int) -> Iterator[SourceRow]:
    from patina.download.sample import generate_sample

    for made in generate_sample(pictures, seed, len(os.sched_getaffinity(0))):
        yield SourceRow(made.id, made.image, made.annotation, made.annotation_rgb, made.material, made.content, made.type)
