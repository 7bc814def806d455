# pyright: standard
# (pyarrow ships no types that strict could read)
"""Rows in ARTeFACT's schema, read from Parquet shards one at a time and undecoded.

The data set's row groups are huge (394 MB seen) and their pages as large, so that reading one row takes about twice the
row group (920 MB for 396 MB, measured with pyarrow 26): never the shard, and never the data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from patina.core.errors import DataRefused

_TEXTS: Final = ("id", "material", "content", "type")
_PICTURES: Final = ("image", "annotation", "annotation_rgb")


@dataclass(frozen=True)
class SourceRow:
    """One row as the source has it; nothing in it has been checked. None where the source has nothing.

    Attributes:
        id: name of the picture.
        image: bytes of the picture's file.
        annotation: bytes of the index mask's file.
        annotation_rgb: bytes of the same mask in colours.
        material: what the object is made of.
        content: what the picture shows.
        type: kind of object.
    """

    id: str | None
    image: bytes | None
    annotation: bytes | None
    annotation_rgb: bytes | None
    material: str | None
    content: str | None
    type: str | None


def check_shard(path: Path) -> int:
    """Checks that `path` is Parquet in ARTeFACT's schema, before any row is read; returns its number of rows.

    Raises:
        DataRefused: unreadable, or columns that are missing or have another type.
    """
    with _open(path) as shard:
        schema: pa.Schema = shard.schema_arrow
        faults = [f"{name}: no such column" for name in (*_TEXTS, *_PICTURES) if name not in schema.names]
        for name in schema.names:
            kind = schema.field(name).type
            if name in _TEXTS and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                faults.append(f"{name}: expected string, found {kind}")
            if name in _PICTURES and not _is_picture(kind):
                faults.append(f"{name}: expected struct<bytes: binary, path: string>, found {kind}")
        if faults:
            raise DataRefused(f"{path} does not have ARTeFACT's columns ({'; '.join(faults)}). Export id, image, annotation, ... again.")
        return int(shard.metadata.num_rows)


def read_shard(path: Path) -> Iterator[SourceRow]:
    """Yields the rows of the shard `path` in order; other columns (captions) are not read.

    Raises:
        DataRefused: damaged; the message says at which row.
    """
    done = 0
    with _open(path) as shard:
        try:
            for batch in shard.iter_batches(batch_size=1, columns=[*_TEXTS, *_PICTURES]):
                for record in batch.to_pylist():
                    yield _row(record)
                    done += 1
        except (OSError, pa.ArrowException) as error:
            raise DataRefused(f"{path} is damaged behind row {done} ({_first_line(error)}). Fetch the file again.") from error


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    except (OSError, pa.ArrowException) as error:
        raise DataRefused(f"{path} is not a readable Parquet file ({_first_line(error)}). Fetch the file again.") from error


def _is_picture(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    stored = kind.field("bytes").type
    return pa.types.is_binary(stored) or pa.types.is_large_binary(stored)


def _row(record: dict[str, Any]) -> SourceRow:
    values = {name: record[name] for name in _TEXTS}
    values |= {name: record[name]["bytes"] if record[name] else None for name in _PICTURES}
    return SourceRow(**values)


def _first_line(error: Exception) -> str:
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0]:.140}"
