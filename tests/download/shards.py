"""Shards in ARTeFACT's schema, made for the tests of the download stage."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from patina.core.taxonomy import palette

_BLOB = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", _BLOB),
        ("annotation", _BLOB),
        ("annotation_rgb", _BLOB),
        ("material", pa.string()),
        ("content", pa.string()),
        ("type", pa.string()),
        ("damage_description", pa.string()),
    ]
)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def record(identifier: str, **changes: Any) -> dict[str, Any]:
    """One good row; `changes` replace columns, files as bytes."""
    rng = np.random.default_rng(sum(identifier.encode()))
    mask = rng.choice(np.array([0, 0, 0, 2, 9, 255], np.uint8), (24, 32))
    columns = {
        "id": identifier,
        "image": png(rng.integers(0, 256, (24, 32, 3), np.uint8)),
        "annotation": png(mask),
        "annotation_rgb": png(palette()[mask]),
        "material": "Paper",
        "content": "Line art",
        "type": "Map",
        "damage_description": "",
    } | changes
    for name in ("image", "annotation", "annotation_rgb"):
        columns[name] = None if columns[name] is None else {"bytes": columns[name], "path": "x.png"}
    return columns


def write_shard(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(records, SCHEMA), path)
    return path
