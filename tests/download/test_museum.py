"""A museum's own scans: `images/`, `masks/` and `pictures.csv`, through the real stage."""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shards import png, record, write_shard

from patina.core.errors import DataRefused
from patina.core.pictures import decode_mask
from patina.core.raw import iter_rows, read_index
from patina.core.raw_groups import read_groups
from patina.core.raw_report import read_report
from patina.core.session import Session
from patina.core.taxonomy import BACKGROUND, palette
from patina.download.stage import run

MASK = np.resize(np.array([0, 0, 4, 15, 255], np.uint8), (24, 32))
PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)


def saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def palette_file(ids: np.ndarray, colors: np.ndarray) -> bytes:
    image = Image.fromarray(ids, "P")
    image.putpalette(colors.tobytes())
    return saved(image, "PNG")


def museum(folder: Path, ids: Iterable[str] = ("a", "b"), **files: bytes | str) -> Path:
    """A good folder with pictures `ids`; `files` are added to it or replace its own (`/` is written `__`, `.` as `_dot_`)."""
    for identifier in ids:
        write(folder / "images" / f"{identifier}.png", png(PICTURE))
        write(folder / "masks" / f"{identifier}.png", png(MASK))
    for name, content in files.items():
        write(folder / name.replace("__", "/").replace("_dot_", "."), content if isinstance(content, bytes) else content.encode())
    return folder


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def download(folder: Path, data: Path, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    progress = Session(folder, "download", None)
    return run(folder / "raw", folder / "card.html", data=str(data), pictures=1, seed=0, settings=json.dumps(settings), progress=progress)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "scans"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_pictures_and_masks_of_equal_names_become_rows_in_the_order_of_their_ids(data, out):
    museum(data, ids=("c", "a", "b"))
    download(out, data)
    rows = list(iter_rows(out / "raw"))
    assert [row.id for row in rows] == ["a", "b", "c"]
    assert rows[0].image == (data / "images" / "a.png").read_bytes()
    assert rows[0].annotation == (data / "masks" / "a.png").read_bytes()
    assert {(row.material, row.content, row.type) for row in rows} == {("unknown", "unknown", "unknown")}


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "tif", "TIFF"])
def test_pictures_may_be_png_jpeg_or_tiff_whatever_the_case_of_their_ending(data, out, ending):
    kind = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF"}[ending.lower()]
    write(data / "images" / f"a.{ending}", saved(Image.fromarray(PICTURE), kind))
    write(data / "masks" / "a.png", png(MASK))
    download(out, data)
    assert [(row.id, row.width, row.height) for row in iter_rows(out / "raw")] == [("a", 32, 24)]


COLOR_MASKS = {
    "RGB": png(palette()[MASK]),
    "opaque RGBA": png(np.dstack((palette()[MASK], np.full_like(MASK, 255)))),
    "palette in our order": palette_file(MASK, palette()),
    "palette renumbered": palette_file(np.where(MASK == 15, 1, MASK).astype(np.uint8), palette()[[0, 15, *range(2, 256)]]),
}


@pytest.mark.parametrize("mask", COLOR_MASKS.values(), ids=COLOR_MASKS)
def test_a_mask_in_the_taxonomys_colours_becomes_class_ids_and_is_counted(data, out, mask):
    museum(data, masks__b_dot_png=mask)
    download(out, data)
    ids, colors = iter_rows(out / "raw")
    assert np.array_equal(decode_mask(ids.annotation), MASK)
    assert np.array_equal(decode_mask(colors.annotation), MASK)
    assert read_report(out / "raw").conversions["mask in colours to class ids"] == 1


def test_every_class_survives_the_way_through_colours(data, out):
    mask = np.resize(np.array([*range(16), 255], np.uint8), (24, 32))
    museum(data, ids=["a"], masks__a_dot_png=png(palette()[mask]))
    download(out, data)
    (row,) = iter_rows(out / "raw")
    assert np.array_equal(decode_mask(row.annotation), mask)
    assert palette()[255].tolist() == list(BACKGROUND.color)


WRONG_MASKS = {
    "smoothed colours": (png(palette()[MASK] + np.uint8(1)), r"picture b: the mask in colours holds colours outside.*#010101 \(\d+ px\)"),
    "half transparent": (png(np.dstack((palette()[MASK], np.full_like(MASK, 128)))), "colours outside the taxonomy's 17"),
    "another palette": (palette_file(MASK, np.arange(768, dtype=np.uint8).reshape(-1, 3)), "colours outside the taxonomy's 17"),
    "unknown ids": (png(MASK + np.uint8(20)), r"values outside 0\.\.15 and 255: 19 \(\d+ px\), 20 "),
    "16 bits": (png(MASK.astype(np.uint16)), "pixel format 'I;16', 16 bits"),
    "two channels": (saved(Image.fromarray(MASK).convert("LA"), "PNG"), "pixel format 'LA'"),
    "a JPEG named PNG": (saved(Image.fromarray(MASK), "JPEG"), "not a PNG file"),
    "another size": (png(MASK[:20]), "image is 32 x 24 px, annotation 32 x 20 px"),
}


@pytest.mark.parametrize(("mask", "message"), WRONG_MASKS.values(), ids=WRONG_MASKS)
def test_a_mask_that_is_neither_ids_nor_our_colours_fails_the_stage(data, out, mask, message):
    museum(data, masks__b_dot_png=mask)
    with pytest.raises(DataRefused, match=message):
        download(out, data, max_quarantined=9)


def test_the_table_gives_material_content_type_and_groups(data, out):
    museum(data, pictures_dot_csv="id,material,content,type,group_object\na,Paper,Line art,Map,atlas 7\nb,Glass,,,\n")
    download(out, data)
    index = read_index(out / "raw").set_index("id")
    assert index.loc["a", ["material", "content", "type"]].tolist() == ["Paper", "Line art", "Map"]
    assert index.loc["b", ["material", "content", "type"]].tolist() == ["Glass", "unknown", "unknown"]
    assert read_groups(out / "raw") == {"group_object": {"a": "atlas 7"}}


@pytest.mark.parametrize("text", ["\ufeffid;material\r\na;Paper\r\nb;Wood\r\n", "ID\tMaterial\na\tPaper\n\nb\tWood\n"])
def test_the_table_may_come_from_a_spreadsheet(data, out, text):
    museum(data, pictures_dot_csv=text)
    download(out, data)
    assert read_index(out / "raw")["material"].tolist() == ["Paper", "Wood"]


def test_columns_that_are_not_read_are_named_on_the_card(data, out):
    museum(data, pictures_dot_csv="id,photographer\na,N. N.\nb,N. N.\n")
    download(out, data)
    assert "were not read: photographer" in (out / "card.html").read_text()


FAULTS = {
    "missing mask": ({"images__c_dot_png": png(PICTURE)}, r"1 pictures without a mask \(c\)"),
    "orphan mask": ({"masks__c_dot_png": png(MASK)}, r"1 masks without a picture \(c\)"),
    "two pictures for one id": ({"images__a_dot_tif": b"II*\0"}, r"1 ids with several files \(images/a\.png and images/a\.tif\)"),
    "row without picture": ({"pictures_dot_csv": "id\na\nb\nc\n"}, r"1 rows of pictures\.csv without a picture \(c\)"),
    "picture without row": ({"pictures_dot_csv": "id\na\n"}, r"1 pictures without a row in pictures\.csv \(b\)"),
    "row twice": ({"pictures_dot_csv": "id\na\nb\na\n"}, r"1 ids that pictures\.csv names twice \('a' in row 3\)"),
    "path in the table": (
        {"pictures_dot_csv": "id\na\nb\n../../etc/x\n"},
        r"1 ids in pictures\.csv that are no safe names \('\.\./\.\./etc/x'",
    ),
    "ragged row": ({"pictures_dot_csv": "id,material\na,Paper\nb\n"}, r"1 rows of pictures\.csv with too many or too few cells \('b'"),
    "unsafe name": ({"images__a b_dot_png": png(PICTURE)}, r"1 names that are no safe ids .*\(images/a b\.png\)"),
    "another format": ({"images__a_dot_webp": b"RIFF"}, r"1 entries other than \.png, \.jpg.*\(images/a\.webp\)"),
    "mask with loss": ({"masks__a_dot_jpg": b"\xff\xd8"}, r"1 entries other than \.png files \(masks/a\.jpg\)"),
    "folder inside": ({"images__more__x_dot_png": png(PICTURE)}, r"1 entries other than .*\(images/more\)"),
}


@pytest.mark.parametrize(("files", "message"), FAULTS.values(), ids=FAULTS)
def test_names_that_do_not_agree_are_refused_before_anything_is_decoded(data, out, files, message):
    museum(data, **files)
    write(data / "images" / "a.png", b"not looked at")
    with pytest.raises(DataRefused, match=message) as caught:
        download(out, data, max_quarantined=9)
    assert "\n" not in str(caught.value)


def test_all_faults_are_named_at_once_and_counted(data, out):
    museum(data, pictures_dot_csv="id\na\nb\nghost\n")
    for number in range(7):
        write(data / "images" / f"p{number}.png", png(PICTURE))
    (data / "masks" / "a.png").rename(data / "masks" / "A.png")
    with pytest.raises(DataRefused) as caught:
        download(out, data)
    assert str(caught.value) == (
        "data folder scans: 8 pictures without a mask (a, p0, p1, p2, p3, ...); 1 masks without a picture (A); "
        "1 rows of pictures.csv without a picture (ghost); 7 pictures without a row in pictures.csv (p0, p1, p2, p3, p4, ...). "
        "Rename, complete or remove them."
    )


@pytest.mark.parametrize("place", ["images/c.png", "masks/a.png", "pictures.csv"])
def test_links_that_lead_out_of_the_folder_are_refused(data, out, tmp_path, place):
    museum(data)
    write(tmp_path / "secret", png(MASK))
    (data / place).unlink(missing_ok=True)
    (data / place).symlink_to(tmp_path / "secret")
    with pytest.raises(DataRefused, match=rf"1 links that lead out of the folder \({place}\)"):
        download(out, data)


def test_a_folder_that_is_a_link_out_of_the_folder_is_refused(data, out, tmp_path):
    museum(tmp_path / "elsewhere")
    museum(data)
    (data / "masks").rename(data / "old")
    (data / "masks").symlink_to(tmp_path / "elsewhere" / "masks")
    with pytest.raises(DataRefused, match="masks is a link that leads out"):
        download(out, data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("material\nPaper\n", "Expected id once"),
        ("id,ID\na,b\n", "no column twice"),
        ("id,group_\na,x\n", "group column 'group_' is not a safe name"),
        ("", "should be a table"),
        ('id\n"a\n', "should be a table"),
    ],
)
def test_a_table_that_is_none_is_refused(data, out, text, message):
    museum(data, pictures_dot_csv=text)
    with pytest.raises(DataRefused, match=message):
        download(out, data)


def test_files_of_the_system_are_passed_over(data, out):
    museum(data, images__Thumbs_dot_db=b"x", masks___dot_DS_Store=b"x", images___dot_hidden_dot_png=b"x")
    download(out, data)
    assert read_report(out / "raw").pictures == 2


def test_scans_beside_shards_are_refused_because_nobody_knows_which_are_meant(data, out):
    museum(data)
    write_shard(data / "x.parquet", [record("a")])
    with pytest.raises(DataRefused, match="Keep one of them"):
        download(out, data)


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_half_a_layout_is_refused(data, out, missing):
    (data / ({"images", "masks"} - {missing}).pop()).mkdir(parents=True)
    with pytest.raises(DataRefused, match=f"has no folder {missing}"):
        download(out, data)


def test_an_empty_folder_of_scans_is_refused(data, out):
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    with pytest.raises(DataRefused, match="images holds no picture"):
        download(out, data)


def test_licence_and_citation_come_from_their_files_escaped_and_bounded(data, out):
    museum(data, LICENCE_dot_txt="CC0 <b>1.0</b>\nno rights reserved", CITATION="A. Author. " + "long " * 500)
    download(out, data)
    report = read_report(out / "raw")
    assert report.licence == "CC0 <b>1.0</b> no rights reserved"
    assert len(report.citation) < 410
    assert "CC0 &lt;b&gt;1.0&lt;/b&gt;" in (out / "card.html").read_text()


def test_a_picture_that_cannot_be_read_is_quarantined_by_its_id(data, out):
    museum(data)
    write(data / "images" / "b.png", png(PICTURE)[:-40])
    with pytest.raises(DataRefused, match=r"1 broken rows, allowed are 0: b: image: .*truncated"):
        download(out, data)
    download(out, data, max_quarantined=1)
    assert [row.id for row in read_report(out / "raw").quarantined] == ["b"]


def test_the_order_of_the_table_and_of_the_files_changes_nothing(tmp_path):
    for name, table in (("one", "id,group_x\na,1\nb,2\n"), ("two", "group_x,id\n2,b\n1,a\n")):
        museum(tmp_path / name / "scans", ids=("a", "b") if name == "one" else ("b", "a"), pictures_dot_csv=table)
    digests = {download(tmp_path / name / "out", tmp_path / name / "scans").digest for name in ("one", "two")}
    assert len(digests) == 1


def test_a_data_set_of_shards_may_have_pictures_for_its_description(data, out):
    write(data / "images" / "logo.png", png(PICTURE))
    write_shard(data / "data" / "x.parquet", [record("a")])
    download(out, data)
    assert [row.id for row in iter_rows(out / "raw")] == ["a"]
