# pyright: standard
# (pyarrow and pandas ship no types that strict could read)
"""The table of the artifact kind `splits`: which picture serves which purpose, and which pictures belong together."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from patina.core import storage
from patina.core.errors import DataRefused

if TYPE_CHECKING:
    from pandas import DataFrame

Split = Literal["train", "val", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")
SPLITS_FILE: Final = "splits.parquet"
SPLITS_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int64()),
        ("material", pa.string()),
        ("content", pa.string()),
    ]
)
"""`fold` is -1 in a holdout, where it means nothing; otherwise 0..k-1 for every picture, and the test side is one fold."""


def read_splits(folder: Path | str) -> "DataFrame":
    """The table `splits.parquet` of `folder`: id, group, split, fold, material, content, one line per picture, sorted by id.

    Raises:
        DataRefused: missing, other columns, or a broken promise, see `check_splits`.
    """
    path = Path(folder) / SPLITS_FILE
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise DataRefused(f"{path} is not a readable Parquet file ({str(error).splitlines()[0]:.120}). Run split again.") from error
    if not table.schema.equals(SPLITS_SCHEMA):
        raise DataRefused(f"{path} has columns {table.schema.names}, expected {SPLITS_SCHEMA.names}. Run split again.")
    frame = table.to_pandas()
    check_splits(frame, str(path))
    return frame


def check_splits(frame: "DataFrame", where: str) -> None:
    """Checks the promises of a split table.

    Raises:
        DataRefused: an id twice, an unknown split, a group on two sides or in two folds, folds that leave a number out, or
            a test side that is not exactly one fold; the message starts with `where`.
    """
    ids, groups, splits, folds = (frame[column].tolist() for column in ("id", "group", "split", "fold"))
    if len(set(ids)) != len(ids):
        repeated = next(identifier for identifier in ids if ids.count(identifier) > 1)
        raise DataRefused(f"{where}: id {repeated!r} stands in two lines. Run split again.")
    if unknown := set(splits) - set(SPLITS):
        raise DataRefused(f"{where}: unknown split {min(unknown)!r}, expected one of {', '.join(SPLITS)}.")
    first: dict[str, tuple[str, str, int]] = {}
    for identifier, group, split, fold in zip(ids, groups, splits, folds, strict=True):
        other, *side = first.setdefault(group, (identifier, split, fold))
        if side != [split, fold]:
            raise DataRefused(
                f"{where}: group {group!r} crosses a boundary: {other} is in {side[0]} (fold {side[1]}), {identifier} in {split} "
                f"(fold {fold}). No picture may have a copy on another side."
            )
    _check_folds(splits, folds, where)


def write_splits(path: Path, frame: "DataFrame") -> None:
    """Writes the split table `frame` to `path` atomically, its columns in the order of the schema."""
    table = pa.Table.from_pandas(frame[SPLITS_SCHEMA.names], schema=SPLITS_SCHEMA, preserve_index=False)
    with storage.atomic_file(path) as stream:
        pq.write_table(table.replace_schema_metadata(None), stream)


def _check_folds(splits: list[str], folds: list[int], where: str) -> None:
    numbers = sorted(set(folds))
    if numbers in ([], [-1]):
        return
    if numbers != list(range(len(numbers))):
        raise DataRefused(f"{where}: folds {numbers}, expected -1 for all pictures or 0..k-1 without a gap. Run split again.")
    tested = {fold for fold, split in zip(folds, splits, strict=True) if split == "test"}
    left_out = [fold for fold, split in zip(folds, splits, strict=True) if split != "test" and fold in tested]
    if len(tested) != 1 or left_out:
        raise DataRefused(f"{where}: the test side must be one whole fold, but holds pictures of {sorted(tested)}. Run split again.")
