"""Where rows come from: the generator, a folder of Parquet shards, or the pinned data set on the hub."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from patina.core.errors import DataRefused, UsageError
from patina.download.hub import DATASET, PICTURES, REVISION, read_hub
from patina.download.rows import SourceRow, check_shard, read_shard

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
    """

    name: str
    licence: str
    citation: str
    pictures: int
    rows: Iterator[SourceRow]


def open_source(data: str, *, pictures: int, seed: int, scratch: Path) -> Source:
    """The source that `data` names.

    Args:
        data: `sample`, a folder, or `hf://danielaivanova/damaged-media`.
        pictures: how many the generator makes.
        seed: of the generator.
        scratch: folder for shards of the hub while they are read.

    Raises:
        UsageError: `data` names something that patina does not read, or a count or seed out of range.
        DataRefused: no such folder, or not ARTeFACT's schema in it.
    """
    if data == "sample":
        return _sample(pictures, seed)
    if data.startswith("hf://"):
        if data.removeprefix("hf://") != DATASET:
            raise UsageError(f"data {data!r} is not known: of the hub, only hf://{DATASET} is read. Use that or a folder.")
        name = f"hf://{DATASET} at revision {REVISION[:12]}"
        return Source(name, "AFL-3.0", _ARTEFACT, PICTURES, read_hub(scratch))
    if "://" in data:
        raise UsageError(f"data {data!r} is not known: expected sample, a folder, or hf://{DATASET}.")
    return _folder(Path(data))


def _folder(folder: Path) -> Source:
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataRefused(f"data folder {folder} {problem}. Give the folder that holds the Parquet shards, or use sample.")
    shards = sorted(folder.glob("*.parquet")) or sorted((folder / "data").glob("*.parquet"))
    if not shards:
        raise DataRefused(f"data folder {folder} holds no *.parquet, nor does its folder data. Expected shards in ARTeFACT's schema.")
    expected = sum(check_shard(shard) for shard in shards)
    return Source(
        name=f"folder {folder.resolve().name}",
        licence="AFL-3.0 for pictures of ARTeFACT; for others their owner's",
        citation=_ARTEFACT,
        pictures=expected,
        rows=(row for shard in shards for row in read_shard(shard)),
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
