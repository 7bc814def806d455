# pyright: standard
# (pyarrow ships no types that strict could read)
"""Group columns (`group_...`) of Parquet shards: read beside the pictures, because ARTeFACT's schema has none."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from patina.core.errors import DataRefused
from patina.core.raw_groups import PREFIX, check_group_column


def shard_groups(shards: Sequence[Path]) -> dict[str, dict[str, str]]:
    """The groups in `shards`: column -> id -> name of the group; {} if no shard has a column `group_...`.

    Raises:
        DataRefused: a damaged shard, a column without a safe name or with other values than text or whole numbers.
    """
    groups: dict[str, dict[str, str]] = {}
    for path in shards:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as shard:
                columns = [check_group_column(name) for name in shard.schema_arrow.names if name.startswith(PREFIX)]
                for name in columns:
                    kind = shard.schema_arrow.field(name).type
                    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
                        raise DataRefused(f"{path}: column {name} holds {kind}, expected text or whole numbers. Export it again.")
                table = shard.read(columns=["id", *columns]).to_pydict() if columns else {}
        except DataRefused:
            raise
        except Exception as error:  # a damaged file leads pyarrow to OSError, ArrowException, MemoryError, OverflowError, ...
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataRefused(f"{path}: its group columns cannot be read ({reason:.140}). Fetch or export the file again.") from error
        for name in columns:
            values = zip(table["id"], table[name], strict=True)
            named = {str(identifier): " ".join(str(value).split()) for identifier, value in values if value is not None}
            groups.setdefault(name, {}).update(named)
    return groups
