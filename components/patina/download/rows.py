# pyright: standard
# (pyarrow ships no types that strict could read)
"""Rows in ARTeFACT's schema, read from Parquet shards one at a time and undecoded.

The data set's row groups are huge (394 MB seen). Until the last row of one is read, Arrow holds it twice: the page, and the dictionary
made of it. So the pictures of a row group are first copied, column by column, to a file without a name, and Arrow's memory is
given back before the first row is handed out: who decodes 133 megapixels then has the memory alone. The peak with such a
shard is 3.0 row groups (`tests/benchmarks/large_shard.py`).

A damaged file ends as `DataRefused`. Parquet protects its pages by checksums only where the writer was told to; they are
compared where they are.
"""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from patina.core.errors import DataRefused, PatinaError, StorageError

_TEXTS: Final = ("id", "material", "content", "type")
_PICTURES: Final = ("image", "annotation", "annotation_rgb")
_COLUMNS: Final = (*_TEXTS, *_PICTURES)
_LARGE: Final = 64_000_000
"""Files up to here have their columns read whole: a damaged page header then cannot make Arrow allocate the 2 GiB it may claim."""
_BUFFER: Final = 1 << 20
_MAX_ROWS: Final = 1_000_000
"""In a row group; empty values need no room in the file, so that a damaged count could run for hours."""


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


@dataclass(frozen=True)
class _Span:
    """Where a picture stands in the copy."""

    start: int
    size: int


def check_shard(path: Path) -> int:
    """Checks that `path` is Parquet in ARTeFACT's schema, before any row is read; returns its number of rows.

    Raises:
        DataRefused: unreadable, or columns that are missing, occur twice or have another type.
    """
    with _open(path) as shard:
        try:
            schema: pa.Schema = shard.schema_arrow
            faults = [fault for name in _COLUMNS if (fault := _column_fault(schema, name))]
            rows = int(shard.metadata.num_rows)
        except Exception as error:  # see `_open`
            raise DataRefused(f"{path} has a schema that cannot be read ({_first_line(error)}). Fetch the file again.") from error
    if faults:
        raise DataRefused(f"{path} does not have ARTeFACT's columns ({'; '.join(faults)}). Export id, image, annotation, ... again.")
    return rows


def read_shard(path: Path, scratch: Path | None = None) -> Iterator[SourceRow]:
    """Yields the rows of the shard `path` in order; other columns (captions) are not read.

    Args:
        path: a Parquet file that `check_shard` accepts.
        scratch: folder for the copy of one row group; the system's folder for temporary files if None.

    Raises:
        DataRefused: damaged; the message says where. The rows of earlier row groups have been handed out by then.
        StorageError: no room for the copy.
    """
    done = 0
    with _open(path) as shard:
        for group in range(shard.num_row_groups):
            with _copy_file(scratch) as copy:
                columns = {name: _read_column(shard, group, name, copy, f"{path} is damaged behind row {done}") for name in _COLUMNS}
                for number in range(len(columns["id"])):
                    yield SourceRow(**{name: _load(copy, values[number]) for name, values in columns.items()})
                done += len(columns["id"])


def _read_column(shard: pq.ParquetFile, group: int, name: str, copy: IO[bytes], fault: str) -> list[Any]:
    """The values of one column of one row group: texts, or the places of pictures in `copy`; None where there is nothing."""
    values: list[Any] = []
    try:
        rows = int(shard.metadata.row_group(group).num_rows)
        if rows > _MAX_ROWS:
            raise DataRefused(f"{fault}: row group {group} claims {rows:,} rows, allowed are {_MAX_ROWS:,}. Fetch the file again.")
        chosen = f"{name}.bytes" if name in _PICTURES else name
        for batch in shard.iter_batches(batch_size=1, row_groups=[group], columns=[chosen], use_threads=False):
            values.extend(_store(value, copy) if name in _PICTURES else value.as_py() for value in batch.column(0))
        if len(values) != rows:
            raise DataRefused(f"{fault}: column {name} has {len(values)} values, row group {group} has {rows} rows. Fetch the file again.")
    except PatinaError:
        raise
    except Exception as error:  # see `_open`
        where = f"{fault}, at value {len(values)} of column {name} in row group {group}"
        raise DataRefused(f"{where} ({_first_line(error)}). Fetch the file again.") from error
    finally:
        pa.default_memory_pool().release_unused()  # Arrow's allocator keeps what was freed: twice the pictures of the row group
    return values


def _store(value: Any, copy: IO[bytes]) -> _Span | None:
    """Appends the picture in the struct `value` to `copy`, straight from Arrow's memory."""
    stored = value["bytes"].as_buffer() if value.is_valid else None
    if stored is None:
        return None
    try:
        start = copy.tell()
        copy.write(stored)
        copy.flush()  # a full disk is found out here
    except OSError as error:
        raise _no_room(error) from error
    return _Span(start, len(stored))


def _load(copy: IO[bytes], value: Any) -> Any:
    if not isinstance(value, _Span):
        return value
    copy.seek(value.start)
    return copy.read(value.size)


@contextmanager
def _copy_file(scratch: Path | None) -> Generator[IO[bytes]]:
    try:
        with tempfile.TemporaryFile(dir=scratch) as copy:
            yield copy
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"cannot keep a row group in a temporary file: {error.strerror or error}. Free space, or set TMPDIR to another folder."
    )


def _open(path: Path) -> pq.ParquetFile:
    try:
        buffer = _BUFFER if path.stat().st_size > _LARGE else 0
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=buffer, page_checksum_verification=True)
    except Exception as error:  # damage leads pyarrow to OSError, ArrowException, MemoryError, OverflowError, RuntimeError, ...
        raise DataRefused(f"{path} is not a readable Parquet file ({_first_line(error)}). Fetch the file again.") from error


def _column_fault(schema: pa.Schema, name: str) -> str | None:
    places = schema.get_all_field_indices(name)
    if len(places) != 1:
        return f"{name}: {'no such column' if not places else f'occurs {len(places)} times'}"
    kind = schema.field(places[0]).type
    if name in _TEXTS:
        return None if pa.types.is_string(kind) or pa.types.is_large_string(kind) else f"{name}: expected string, found {kind}"
    return None if _is_picture(kind) else f"{name}: expected struct<bytes: binary, path: string>, found {kind}"


def _is_picture(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    stored = kind.field("bytes").type
    return pa.types.is_binary(stored) or pa.types.is_large_binary(stored)


def _first_line(error: Exception) -> str:
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0]:.140}"
