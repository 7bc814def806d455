# pyright: standard
# (pyarrow and pandas ship no types that strict could read)
"""The artifact kind `raw`: pictures and masks as found, in Parquet shards that `datasets.load_dataset` reads as well.

Shards stay below 256 MB and are written in small row groups, so that both sides hold a few pictures in memory, whatever
the size of the data. The masks were decoded and checked once, by the download stage: `pixels` keeps what it counted.
"""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from patina.core import storage
from patina.core.errors import DataRefused
from patina.core.taxonomy import NUM_CLASSES

if TYPE_CHECKING:
    from pandas import DataFrame

SHARD_BYTES: Final = 240_000_000
"""A shard is closed before its pictures pass this size."""
_ROW_GROUP_BYTES: Final = 16_000_000
_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")
_INDEX_COLUMNS: Final = ("id", "material", "content", "type", "width", "height", "sha256", "phash", "pixels")


@dataclass(frozen=True)
class RawRow:
    """One picture with its annotation.

    Attributes:
        id: file-name safe: letters, digits, `.`, `_`, `-`; no leading dot.
        image: PNG, JPEG or TIFF bytes as found.
        annotation: PNG bytes, single channel, class ids 0..15 and 255.
        material: one of `MATERIALS` in ARTeFACT.
        content: one of `CONTENTS` in ARTeFACT.
        type: kind of object, free text.
        width: of picture and mask in pixels, after EXIF orientation.
        height: likewise.
        sha256: hex SHA-256 of `image`.
        phash: perceptual hash of the picture, 64 bits as 16 hex digits.
        pixels: how many pixels of the mask have class 0, 1, ... 15; the rest is 255.
    """

    id: str
    image: bytes
    annotation: bytes
    material: str
    content: str
    type: str
    width: int
    height: int
    sha256: str
    phash: str
    pixels: tuple[int, ...]


def raw_schema() -> pa.Schema:
    """Arrow schema of the shards, with the features that tell `datasets` which columns are pictures."""
    blob = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    text = {"dtype": "string", "_type": "Value"}
    number = {"dtype": "int64", "_type": "Value"}
    columns: dict[str, tuple[pa.DataType, dict[str, Any]]] = {
        "id": (pa.string(), text),
        "image": (blob, {"_type": "Image"}),
        "annotation": (blob, {"_type": "Image"}),
        **{name: (pa.string(), text) for name in ("material", "content", "type")},
        **{name: (pa.int64(), number) for name in ("width", "height")},
        **{name: (pa.string(), text) for name in ("sha256", "phash")},
        "pixels": (pa.list_(pa.int64(), NUM_CLASSES), {"feature": number, "length": NUM_CLASSES, "_type": "List"}),
    }
    features = {"info": {"features": {name: feature for name, (_, feature) in columns.items()}}}
    return pa.schema([(name, kind) for name, (kind, _) in columns.items()], metadata={"huggingface": json.dumps(features)})


def check_id(identifier: str) -> str:
    """Returns `identifier` if it is safe as a file name.

    Raises:
        DataRefused: it is not.
    """
    if not _ID.fullmatch(identifier):
        raise DataRefused(
            f"id {identifier!r:.140} is not a safe name: expected 1-120 of A-Z a-z 0-9 . _ - without a leading dot. Rename it."
        )
    return identifier


class RawWriter:
    """Writes rows into shards `part-00000.parquet`, ... of `folder`; a shard appears only when it is complete.

    Use it as a context manager. An exception inside leaves no unfinished shard.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._schema = raw_schema()
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._shards = 0
        self._written = 0
        self._pending: list[RawRow] = []
        self._ids: set[str] = set()

    def __enter__(self) -> "RawWriter":
        self._folder.mkdir(parents=True, exist_ok=True)
        for stale in self._folder.glob("part-*.parquet"):  # of an attempt that was stopped
            stale.unlink()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._finish_shard()
        else:
            self._stack.__exit__(kind, error, trace)

    def add(self, row: RawRow) -> None:
        """Appends `row`.

        Raises:
            DataRefused: an unsafe id, or one that was added before.
        """
        check_id(row.id)
        if row.id in self._ids:
            raise DataRefused(f"id {row.id!r} occurs twice. Every picture needs its own id.")
        if len(row.pixels) != NUM_CLASSES:
            raise ValueError(f"row {row.id}: expected {NUM_CLASSES} pixel counts, got {len(row.pixels)}")
        size = len(row.image) + len(row.annotation)
        if self._written and self._written + size > self._shard_bytes:
            self._finish_shard()
        self._ids.add(row.id)
        self._pending.append(row)
        self._written += size
        if sum(len(waiting.image) + len(waiting.annotation) for waiting in self._pending) >= _ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            stream = self._stack.enter_context(storage.atomic_file(self._folder / f"part-{self._shards:05d}.parquet"))
            # Pictures are compressed already; dictionaries of them would only cost memory.
            # Statistics of picture bytes would cost six times the picture while it is written.
            writer = pq.ParquetWriter(stream, self._schema, compression="NONE", use_dictionary=False, write_statistics=False)
            self._writer = self._stack.enter_context(writer)
        records = [
            {**asdict(row), "image": {"bytes": row.image, "path": None}, "annotation": {"bytes": row.annotation, "path": f"{row.id}.png"}}
            for row in self._pending
        ]
        self._writer.write_table(pa.Table.from_pylist(records, self._schema))
        self._pending.clear()
        pa.default_memory_pool().release_unused()  # the encoder's buffers are as large as the largest picture

    def _finish_shard(self) -> None:
        with self._stack:
            self._flush()
        self._writer = None
        self._stack = ExitStack()
        self._shards += 1
        self._written = 0


def iter_rows(folder: Path | str, ids: Collection[str] | None = None) -> Iterator[RawRow]:
    """Yields the rows of a `raw` artifact in stored order, or those with the given `ids`; a few pictures are in memory at a time.

    Raises:
        DataRefused: not shards of kind `raw`, or some of `ids` are not there.
    """
    wanted = None if ids is None else set(ids)
    for path in _shards(folder):
        with _open_shard(path) as shard:
            groups = range(shard.num_row_groups)
            if wanted is not None:
                groups = [g for g in groups if not wanted.isdisjoint(shard.read_row_group(g, columns=["id"])["id"].to_pylist())]
            for group in groups:
                for batch in shard.iter_batches(batch_size=1, row_groups=[group]):
                    record = batch.to_pylist()[0]
                    if wanted is None or record["id"] in wanted:
                        yield _row(record)
                        if wanted is not None:
                            wanted.remove(record["id"])
    if wanted:
        raise DataRefused(f"{folder}: {len(wanted)} of the {len(set(ids or ()))} wanted ids are not there, first {min(wanted)!r}.")


def read_index(folder: Path | str) -> "DataFrame":
    """Every column but `image` and `annotation`, one line per picture in stored order; `pixels` holds int64 [16] arrays."""
    tables: list[pa.Table] = []
    for path in _shards(folder):
        with _open_shard(path) as shard:
            tables.append(shard.read(columns=list(_INDEX_COLUMNS)).replace_schema_metadata(None))
    return pa.concat_tables(tables).to_pandas()


def _shards(folder: Path | str) -> list[Path]:
    paths = sorted(Path(folder).glob("part-*.parquet"))
    if not paths:
        raise DataRefused(f"{folder} holds no part-*.parquet. Expected an artifact of kind 'raw': run download.")
    return paths


def _open_shard(path: Path) -> pq.ParquetFile:
    try:
        shard = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise DataRefused(f"{path} is not a readable Parquet file ({str(error).splitlines()[0]:.120}). Run download again.") from error
    if not shard.schema_arrow.equals(raw_schema()):
        raise DataRefused(
            f"{path} has columns {shard.schema_arrow.names}, expected {raw_schema().names} of kind 'raw'. Run download again."
        )
    return shard


def _row(record: dict[str, Any]) -> RawRow:
    return RawRow(
        **{name: record[name] for name in _INDEX_COLUMNS[:-1]},
        image=record["image"]["bytes"],
        annotation=record["annotation"]["bytes"],
        pixels=tuple(record["pixels"]),
    )
