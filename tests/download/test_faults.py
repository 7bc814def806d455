"""The fault matrix, rows 1-8, 12 and 13: each fault is put into a folder of shards and must come out of the stage as its message.

Orphan masks, two files for one id and paths in a table (8 and 13 for a museum's folder) stand in `test_museum.py`.
"""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image
from shards import SCHEMA, png, record, write_shard

from patina.core.artifact import MANIFEST
from patina.core.errors import DataRefused
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import iter_rows
from patina.core.raw_report import read_report
from patina.core.session import Session
from patina.core.taxonomy import palette
from patina.download.stage import run

MASK = np.zeros((24, 32), np.uint8)
PICTURE = np.random.default_rng(2).integers(0, 256, (24, 32, 3), np.uint8)


def download(folder: Path, *rows: dict[str, Any], **settings):
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    if rows:
        write_shard(data / "x.parquet", list(rows))
    else:
        pq.write_table(pa.Table.from_pylist([], SCHEMA), data / "x.parquet")
    progress = Session(folder, "download", None)
    return run(folder / "raw", folder / "card.html", data=str(data), pictures=1, seed=0, settings=json.dumps(settings), progress=progress)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return saved(Image.fromarray(pixels), kind, exif=exif)


def bomb(side: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 4)
        + b"IDAT"
        + bytes(8)
    )


def deep_rgb() -> bytes:
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in PICTURE.astype(np.uint16) * 256 + 7)
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 32, 24, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(body)), (b"IEND", b"")
    parts = (struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


QUARANTINED = {
    "1 truncated PNG": ({"image": saved(Image.fromarray(PICTURE))[:-30]}, r"image: the picture is truncated or damaged"),
    "1 truncated JPEG": ({"image": saved(Image.fromarray(PICTURE), "JPEG")[:-90]}, r"image: the picture is truncated or damaged"),
    "1 truncated TIFF": ({"image": saved(Image.fromarray(PICTURE), "TIFF")[:-90]}, r"image: the (picture|file's header)"),
    "1 truncated mask": ({"annotation": png(MASK)[:-20]}, r"annotation: the picture is truncated or damaged"),
    "2 bomb as picture": ({"image": bomb(50_000)}, r"image: the header says 50000 x 50000 px, allowed are 1 to 300,000,000 pixels"),
    "2 bomb as mask": ({"annotation": bomb(50_000)}, "annotation: the header says 50000 x 50000 px"),
    "2 bomb as colours": ({"annotation_rgb": bomb(17_000)}, "annotation_rgb: the header says 17000 x 17000 px"),
    "7 32-bit grey": ({"image": saved(Image.new("I", (32, 24)), "TIFF")}, r"image: pixel format 'I' \(unknown\) has no rule"),
    "8 missing picture": ({"image": None}, "image is missing"),
    "8 missing mask": ({"annotation": None}, "annotation is missing"),
}


@pytest.mark.parametrize(("changes", "reason"), QUARANTINED.values(), ids=QUARANTINED)
def test_a_broken_row_is_named_with_its_reason_and_left_out_only_if_that_is_allowed(tmp_path, changes, reason):
    rows = record("good"), record("bad", **changes)
    limit = {"max_pixels": 200_000_000} if "17000" in reason else {}
    with pytest.raises(DataRefused, match=f"1 broken rows, allowed are 0: bad: {reason}"):
        download(tmp_path / "strict", *rows, **limit)
    assert not (tmp_path / "strict" / "raw" / MANIFEST).exists()
    download(tmp_path / "lenient", *rows, max_quarantined=1, **limit)
    assert [row.id for row in iter_rows(tmp_path / "lenient" / "raw")] == ["good"]
    assert [row.id for row in read_report(tmp_path / "lenient" / "raw").quarantined] == ["bad"]


REFUSED = {
    "3 other size": ({"annotation": png(MASK[:20])}, "picture bad: image is 32 x 24 px, annotation 32 x 20 px"),
    "3 colours of another size": (
        {"annotation_rgb": png(palette()[MASK[:20]])},
        "picture bad: annotation is 32 x 24 px, annotation_rgb 32 x 20",
    ),
    "4 value 16": ({"annotation": png(MASK + np.uint8(16))}, r"picture bad: the mask holds values outside 0\.\.15 and 255: 16 \(768 px\)"),
    "4 colours that disagree": (
        {"annotation": png(MASK), "annotation_rgb": png(palette()[MASK + 1])},
        r"picture bad: annotation and annotation_rgb disagree with the taxonomy: 0 = #1CE6FF \(expected #000000\)",
    ),
    "5 RGB mask": ({"annotation": png(palette()[MASK])}, "picture bad: the mask has pixel format 'RGB', 8 bits"),
    "5 mask with alpha": ({"annotation": saved(Image.new("LA", (32, 24)))}, "picture bad: the mask has pixel format 'LA'"),
    "5 16-bit mask": ({"annotation": png(MASK.astype(np.uint16))}, "picture bad: the mask has pixel format 'I;16', 16 bits"),
    "5 one-bit mask": ({"annotation": saved(Image.new("1", (32, 24)))}, "picture bad: the mask has pixel format '1', 1 bits"),
    "5 foreign palette": ({"annotation": saved(Image.fromarray(PICTURE).quantize(9))}, "picture bad: the mask's palette gives index"),
    "6 turned picture, unturned mask": (
        {"image": turned(PICTURE)},
        "picture bad: image is 24 x 32 px, annotation 32 x 24.*EXIF orientation",
    ),
    "8 id twice": ({"id": "good"}, "id 'good' occurs twice"),
    "8 no id": ({"id": None}, "id '' is not a safe name"),
    "13 path in an id": ({"id": "../../bad"}, r"id '\.\./\.\./bad' is not a safe name"),
    "13 absolute path": ({"id": "/etc/x"}, "id '/etc/x' is not a safe name"),
    "13 hidden file": ({"id": ".bad"}, "is not a safe name"),
    "13 line break": ({"id": "bad\n"}, "is not a safe name"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_data_that_contradict_themselves_fail_the_stage_whatever_is_allowed(tmp_path, changes, message):
    with pytest.raises(DataRefused, match=message):
        download(tmp_path, record("good"), record("bad", **changes), max_quarantined=9)
    assert not (tmp_path / "raw" / MANIFEST).exists()
    assert not list((tmp_path / "raw").glob("*.parquet"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_6_picture_and_masks_that_are_turned_alike_are_brought_upright_together(tmp_path, kind):
    mask = np.zeros((24, 32), np.uint8)
    mask[:8] = 3
    download(tmp_path, record("a", image=turned(PICTURE, kind), annotation=turned(mask), annotation_rgb=turned(palette()[mask])))
    (row,) = iter_rows(tmp_path / "raw")
    assert decode_picture(row.image).shape == (32, 24, 3)
    assert np.array_equal(decode_mask(row.annotation), np.rot90(mask, -1))
    assert read_report(tmp_path / "raw").conversions == {"EXIF orientation applied": 1}


CONVERTED = {
    "grey": (png(PICTURE[..., 0]), {"pixel format L to RGB"}),
    "16-bit grey": (png(PICTURE[..., 0].astype(np.uint16) * 257), {"pixel format I;16 to RGB"}),
    "16-bit RGB": (deep_rgb(), {"16-bit RGB to 8 bits"}),
    "RGBA": (png(np.dstack((PICTURE, PICTURE[..., :1]))), {"pixel format RGBA to RGB", "transparency over white"}),
    "CMYK JPEG": (saved(Image.fromarray(PICTURE).convert("CMYK"), "JPEG"), {"pixel format CMYK to RGB"}),
    "CMYK TIFF": (saved(Image.fromarray(PICTURE).convert("CMYK"), "TIFF"), {"pixel format CMYK to RGB"}),
    "palette": (saved(Image.fromarray(PICTURE).quantize(200)), {"pixel format P to RGB"}),
    "one bit": (saved(Image.fromarray(PICTURE[..., 0] > 99)), {"pixel format 1 to RGB"}),
}


@pytest.mark.parametrize(("image", "rules"), CONVERTED.values(), ids=CONVERTED)
def test_7_a_picture_in_another_pixel_format_is_kept_as_found_and_its_rule_counted(tmp_path, image, rules):
    download(tmp_path, record("a", image=image), record("b"))
    row = next(iter_rows(tmp_path / "raw"))
    assert row.image == image
    assert decode_picture(row.image).shape == (24, 32, 3)
    assert read_report(tmp_path / "raw").conversions == dict.fromkeys(rules, 1)
    assert all(rule in (tmp_path / "card.html").read_text() for rule in rules)


def test_12_an_empty_data_set_is_refused(tmp_path):
    with pytest.raises(DataRefused, match=r"folder data holds no usable picture \(0 rows\)\. Expected at least one"):
        download(tmp_path)


def test_12_one_picture_is_a_data_set(tmp_path):
    download(tmp_path, record("a"))
    assert read_report(tmp_path / "raw").pictures == 1
