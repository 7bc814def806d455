"""Group columns of a `raw` artifact: what a museum knows of pictures that belong together (one object, one film roll, one sitter).

They stand beside the shards in `groups.csv`, because the shards' columns are fixed: `id`, then one column per grouping. An
empty cell says that the picture belongs to no group of that column. The file is there only if any picture has a group.
"""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from patina.core import storage
from patina.core.errors import DataRefused
from patina.core.raw import check_id

GROUPS_FILE: Final = "groups.csv"
PREFIX: Final = "group_"
_COLUMN: Final = re.compile(r"group_[A-Za-z0-9_]{1,60}")


def check_group_column(name: str) -> str:
    """Returns `name` if it can be a group column: `group_` and 1-60 of A-Z a-z 0-9 _.

    Raises:
        DataRefused: it cannot.
    """
    if not _COLUMN.fullmatch(name):
        raise DataRefused(f"group column {name!r:.100} is not a safe name: expected group_ and 1-60 of A-Z a-z 0-9 _. Rename it.")
    return name


def write_groups(folder: Path, groups: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Writes the groups of a `raw` artifact in `folder`, sorted by id; a column without any value is left out.

    Args:
        folder: of the shards.
        groups: column -> id of a picture -> name of its group; "" or no entry for none. White space counts as one blank.

    Returns:
        The columns written; without any, there is no file.

    Raises:
        DataRefused: a column or an id that is no safe name.
    """
    named = {
        check_group_column(column): {check_id(key): name for key, value in values.items() if (name := " ".join(value.split()))}
        for column, values in groups.items()
    }
    columns = sorted(column for column, values in named.items() if values)
    if not columns:
        (folder / GROUPS_FILE).unlink(missing_ok=True)  # of an attempt that was stopped
        return []
    ids = sorted({identifier for column in columns for identifier in named[column]})
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("id", *columns))
    lines.writerows((identifier, *(named[column].get(identifier, "") for column in columns)) for identifier in ids)
    storage.write_text(folder / GROUPS_FILE, text.getvalue())
    return columns


def read_groups(folder: Path | str) -> dict[str, dict[str, str]]:
    """The groups of the `raw` artifact in `folder`: column -> id of a picture -> name of its group, empty cells left out.

    Without `groups.csv` there are none: {}.

    Raises:
        DataRefused: not a table as `write_groups` makes it.
    """
    path = Path(folder) / GROUPS_FILE
    if not path.exists():
        return {}
    try:
        header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True)
        if not header or header[0] != "id":
            raise ValueError("the first column is not id")
        columns = [check_group_column(name) for name in header[1:]]
        if len(set(columns)) != len(columns) or any(len(row) != len(header) for row in rows):
            raise ValueError("columns or cells are missing or doubled")
        ids = [check_id(row[0]) for row in rows]
        if len(set(ids)) != len(ids):
            raise ValueError("an id occurs twice")
    except (OSError, ValueError, csv.Error, DataRefused) as error:
        raise DataRefused(f"{path} should be the groups of a raw artifact, but: {error}. Run download again.") from error
    return {name: {row[0]: row[place] for row in rows if row[place]} for place, name in enumerate(columns, start=1)}
