"""Damages 500 files, reads each as the download stage does, and says what came of it; `test_fuzz.py` runs it in its own process.

What counts as a wrong row: an accepted row that is not, letter by letter, the row that was written, with two exceptions that no
reader could find. JPEG pictures carry no checksum: their pixels may differ, their mask may not. Parquet files without page
checksums (few writers make them) guard no text: id, material, content and type may differ there, a picture and its mask may
not be separated. Masks are never excused.

Each line of the output is a JSON list: number of the case, what was done, and `refused`, `quarantined`, `equal`, `picture differs`
or a fault.
"""

import faulthandler
import hashlib
import io
import json
import random
import resource
import shutil
import struct
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from shards import SCHEMA, png, record

from patina.core.errors import PatinaError
from patina.core.pictures import count_values, decode_mask, decode_picture
from patina.core.raw_report import Quarantined
from patina.core.taxonomy import palette
from patina.download.check import CheckedRow, check_rows
from patina.download.sources import open_source

CASES = 500
SEED = 20240418
SECONDS = 20
MEMORY = 4 << 30
HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"II*\x00\x08\x00\x00\x00", b"PAR1", b"PK\x03\x04", b"")


@dataclass(frozen=True)
class Truth:
    """One row as it was written; `pixels` are those of its picture."""

    row: dict[str, Any]
    mask: np.ndarray
    pixels: np.ndarray
    jpeg: bool


def truths() -> dict[str, Truth]:
    """Four rows, two with PNG and two with JPEG pictures; no two masks are alike."""
    found: dict[str, Truth] = {}
    for number, identifier in enumerate(("aa", "bb", "cc", "dd")):
        mask = np.random.default_rng(number).choice(np.array([0, 0, 3, 9, 15, 255], np.uint8), (24, 32))
        picture = np.random.default_rng(50 + number).integers(0, 256, (24, 32, 3), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG" if number % 2 else "PNG")
        row = record(identifier, image=stream.getvalue(), annotation=png(mask), annotation_rgb=png(palette()[mask]))
        found[identifier] = Truth(row, mask, decode_picture(stream.getvalue()), bool(number % 2))
    return found


def cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    return bytes(data)


def swap_head(data: bytearray, rng: random.Random) -> bytes:
    head = rng.choice(HEADS)
    return head + bytes(data[len(head) or 8 :])


def change_number(data: bytearray, rng: random.Random) -> bytes:
    """Writes an extreme 32-bit number somewhere, more often near the ends, where Parquet and PNG keep their lengths."""
    place = rng.choice((rng.randrange(len(data) - 4), rng.randrange(min(64, len(data) - 4)), len(data) - rng.randrange(8, 16)))
    data[place : place + 4] = struct.pack(rng.choice("<>") + "I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, rng.randrange(1 << 32))))
    return bytes(data)


def repeat_block(data: bytearray, rng: random.Random) -> bytes:
    size = rng.randrange(1, max(2, len(data) // 4))
    source, target = rng.randrange(len(data) - size + 1), rng.randrange(len(data))
    if rng.random() < 0.5:
        data[target : target + size] = data[source : source + size]
        return bytes(data)
    return bytes(data[:target] + data[source : source + size] + data[target:])


def drop_block(data: bytearray, rng: random.Random) -> bytes:
    size = rng.randrange(1, max(2, len(data) // 4))
    start = rng.randrange(len(data))
    if rng.random() < 0.5:
        data[start : start + size] = bytes(len(data[start : start + size]))
        return bytes(data)
    return bytes(data[:start] + data[start + size :])


def footer(data: bytearray, rng: random.Random) -> bytes:
    """Flips bytes behind the pages of a Parquet file: offsets, sizes, types, counts."""
    start = max(0, len(data) - 8 - struct.unpack("<I", data[-8:-4])[0])
    for _ in range(rng.choice((1, 2, 4))):
        data[rng.randrange(start, len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def chunks(data: bytearray, rng: random.Random) -> bytes:
    """Drops, doubles or swaps whole parts of a PNG file, each with its right checksum; flips bytes of others."""
    if not data.startswith(HEADS[0]):
        return flip(data, rng)
    parts, place = [], 8
    while place < len(data):
        size = 12 + struct.unpack(">I", data[place : place + 4])[0]
        parts.append(bytes(data[place : place + size]))
        place += size
    one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(3):
        case 0:
            parts.pop(one)
        case 1:
            parts.insert(other, parts[one])
        case _:
            parts[one], parts[other] = parts[other], parts[one]
    return HEADS[0] + b"".join(parts)


ANYWHERE = (cut, flip, swap_head, change_number, repeat_block, drop_block)


def make(case: int, truth: dict[str, Truth], path: Path) -> tuple[str, bool]:
    """Writes the damaged file of `case`; returns what was done and whether its pages carry checksums."""
    rng = random.Random(SEED + case)  # noqa: S311 - repeatable damage, no secrets
    rows = [{**one.row} for one in truth.values()]
    checksums = case % 4 < 2
    damage = rng.choice((*ANYWHERE, footer)) if case % 2 else rng.choice((*ANYWHERE, chunks))
    done = f"{damage.__name__} in the Parquet file"
    if not case % 2:
        row, column = rng.choice(rows), rng.choice(("image", "annotation", "annotation_rgb"))
        row[column] = {"bytes": damage(bytearray(row[column]["bytes"]), rng), "path": "x.png"}
        done = f"{damage.__name__} in {column} of {row['id']}"
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(
        table, path, write_page_checksum=checksums, compression=rng.choice(("snappy", "none", "zstd")), row_group_size=rng.choice((2, 4))
    )
    if case % 2:
        path.write_bytes(damage(bytearray(path.read_bytes()), rng))
    return done, checksums


def judge(checked: CheckedRow, truth: dict[str, Truth], checksums: bool) -> str:
    """`equal`, `picture differs`, or what is wrong with an accepted row."""
    row = checked.row
    mask = decode_mask(row.annotation)
    if row.sha256 != hashlib.sha256(row.image).hexdigest() or row.pixels != tuple(count_values(mask)[:16].tolist()):
        return "fault: the row contradicts itself"
    own = next((one for one in truth.values() if np.array_equal(one.mask, mask)), None)
    if own is None:
        return "fault: a mask that nobody wrote"
    same = np.array_equal(decode_picture(row.image), own.pixels)
    if not same and not own.jpeg:
        return "fault: a picture with the mask of another, or changed"
    texts = all(getattr(row, name) == own.row[name] for name in ("id", "material", "content", "type"))
    if not texts:
        return "fault: other texts" if checksums else "texts differ"
    return "equal" if same else "picture differs"


def outcome(folder: Path, truth: dict[str, Truth], checksums: bool) -> str:
    """Reads the folder as the stage does."""
    found = "equal"
    rows = 0
    try:
        source = open_source(str(folder), pictures=1, seed=0, scratch=folder)
        for checked in check_rows(source.rows, max_pixels=10_000_000, masks=source.masks):
            if isinstance(checked, Quarantined):
                found = "quarantined"
            elif (verdict := judge(checked, truth, checksums)).startswith("fault"):
                return verdict
            elif found == "equal":
                found = verdict
            rows += 1
    except PatinaError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 1000 else f"fault: no line for a person: {error}"
    except Exception as error:
        return f"fault: {type(error).__name__}: {error}"
    return found if rows == len(truth) else f"fault: {rows} rows of {len(truth)}"


def main(folder: Path) -> None:
    """Runs every case; a crash or a hang ends the process before the last line."""
    warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF blocks before it refuses them
    truth = truths()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for case in range(CASES):
        place = folder / f"{case:03d}"
        place.mkdir(parents=True)
        done, checksums = make(case, truth, place / "x.parquet")
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        print(json.dumps([case, done, outcome(place, truth, checksums)]), flush=True)  # noqa: T201 - the report that the test reads
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(place)
    print(json.dumps(["peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]), flush=True)  # noqa: T201 - the report that the test reads


if __name__ == "__main__":
    main(Path(sys.argv[1]))
