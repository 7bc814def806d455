"""`pictures.csv` of a museum: id, material, content, type, and groups of pictures that belong together."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patina.core.errors import DataRefused
from patina.core.raw import check_id
from patina.core.raw_groups import PREFIX, check_group_column

TABLE: Final = "pictures.csv"
_TEXTS: Final = ("material", "content", "type")
_LONGEST: Final = 200


@dataclass(frozen=True)
class PictureTable:
    """What the table says of the pictures.

    Attributes:
        texts: id -> material, content and type; "" where a cell is empty or the column missing.
        groups: column `group_...` -> id -> name of the group.
        unread: other columns, which say nothing to patina.
    """

    texts: dict[str, dict[str, str]]
    groups: dict[str, dict[str, str]]
    unread: tuple[str, ...]


def read_table(path: Path, faults: dict[str, list[str]]) -> PictureTable:
    """Reads the table; comma, semicolon (as Excel writes it in Europe) or tab stand between the cells.

    Args:
        path: the CSV file, UTF-8.
        faults: what is wrong with single rows is added here, by kind.

    Raises:
        DataRefused: not a table, no column `id`, a column twice, a group column without a safe name.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = text.partition("\n")[0]
        header, *lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise DataRefused(f"{TABLE} should be a table in UTF-8, but: {error!s:.120}. Save it as CSV again.") from error
    names = [name.strip().lower() for name in header]
    if names.count("id") != 1 or len(set(names)) != len(names):
        raise DataRefused(f"{TABLE} has the columns {', '.join(names):.200}. Expected id once, and no column twice.")
    columns = [check_group_column(name) for name in names if name.startswith(PREFIX)]
    table = PictureTable({}, {name: {} for name in columns}, tuple(name for name in names if name not in {"id", *_TEXTS, *columns}))
    for number, line in enumerate((line for line in lines if any(line)), start=1):
        row = dict(zip(names, (" ".join(cell.split()) for cell in line), strict=False))
        if fault := _fault(row, table.texts, len(line) == len(names)):
            faults.setdefault(fault, []).append(f"{row.get('id', '')!r:.60} in row {number}")
            continue
        table.texts[row["id"]] = {name: row.get(name, "") for name in _TEXTS}
        for name in columns:
            table.groups[name][row["id"]] = row[name]
    return table


def _fault(row: dict[str, str], known: Iterable[str], complete: bool) -> str | None:
    if not complete:
        return f"rows of {TABLE} with too many or too few cells"
    try:
        check_id(row["id"])
    except DataRefused:
        return f"ids in {TABLE} that are no safe names"
    if row["id"] in known:
        return f"ids that {TABLE} names twice"
    if any(len(value) > _LONGEST for name, value in row.items() if name in _TEXTS or name.startswith(PREFIX)):
        return f"rows of {TABLE} with cells of more than {_LONGEST} characters"
    return None
