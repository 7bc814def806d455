import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image
from shards import SCHEMA, png, record, write_shard

from patina.core import artifact
from patina.core.errors import DataRefused, UsageError
from patina.core.pictures import count_values, decode_mask, picture_size
from patina.core.raw import iter_rows
from patina.core.raw_report import read_report
from patina.core.session import Session
from patina.core.taxonomy import palette
from patina.download.stage import run

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
MASK = np.zeros((24, 32), np.uint8)


def download(folder: Path, data, *, pictures: int = 4, seed: int = 0, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    return run(
        folder / "raw",
        folder / "card.html",
        data=str(data),
        pictures=pictures,
        seed=seed,
        settings=json.dumps(settings),
        progress=Session(folder, "download", None),
    )


def colored(mask: np.ndarray, **changes) -> dict:
    return {"annotation": png(mask), "annotation_rgb": png(palette()[mask]), **changes}


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("place", [".", "data"])
def test_shards_are_read_from_the_folder_or_its_data_folder(data, out, place):
    write_shard(data / place / "train-00000.parquet", [record("a"), record("b")])
    write_shard(data / place / "train-00001.parquet", [record("c")])
    download(out, data)
    artifact.open_artifact(out / "raw", "raw")
    assert [row.id for row in iter_rows(out / "raw")] == ["a", "b", "c"]


def test_a_row_keeps_its_files_byte_by_byte_and_gets_what_was_measured(data, out):
    source = record("a")
    write_shard(data / "x.parquet", [source])
    download(out, data)
    (row,) = iter_rows(out / "raw")
    assert (row.image, row.annotation) == (source["image"]["bytes"], source["annotation"]["bytes"])
    assert (row.width, row.height) == picture_size(row.image) == (32, 24)
    assert row.pixels == tuple(count_values(decode_mask(row.annotation))[:16].tolist())


def test_the_same_rows_make_the_same_digest_wherever_the_shards_are_cut(tmp_path):
    write_shard(tmp_path / "one" / "set" / "x.parquet", [record(name) for name in "abc"])
    write_shard(tmp_path / "two" / "set" / "x.parquet", [record("a")])
    write_shard(tmp_path / "two" / "set" / "y.parquet", [record("b"), record("c")])
    digests = {download(tmp_path / "out" / name, tmp_path / name / "set").digest for name in ("one", "two")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda path: None, "does not exist", id="missing"),
        pytest.param(lambda path: path.write_text("x"), "is a file", id="a file"),
        pytest.param(lambda path: path.mkdir(), r"holds no \*\.parquet", id="empty"),
        pytest.param(lambda path: (path.mkdir(), (path / "a.parquet").write_bytes(b"PAR1 no")), "not a readable Parquet", id="no Parquet"),
    ],
)
def test_a_folder_without_readable_shards_is_refused_in_one_line(data, out, prepare, message):
    prepare(data)
    with pytest.raises(DataRefused, match=message) as caught:
        download(out, data)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_columns_are_checked_in_every_shard_before_any_row_is_read(data, out):
    write_shard(data / "a.parquet", [record("a", image=b"broken")])
    wrong = pa.table({"id": pa.array([1]), "image": pa.array(["file.png"])})
    pq.write_table(wrong, data / "b.parquet")
    with pytest.raises(DataRefused, match=r"b\.parquet.*content: no such column.*id: expected string, found int64.*image: expected struct"):
        download(out, data)


def test_a_shard_cut_off_behind_its_rows_is_refused(data, out):
    path = write_shard(data / "a.parquet", [record(f"p{i}") for i in range(9)])
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    with pytest.raises(DataRefused, match="damaged behind row"):
        download(out, data)


@pytest.mark.parametrize("data", ["hf://someone/else", "hf://", "s3://bucket/key"])
def test_sources_that_are_not_read_are_refused_with_what_is(out, data):
    with pytest.raises(UsageError, match="hf://danielaivanova/damaged-media"):
        download(out, data)


BROKEN = {
    "truncated picture": ({"image": record("x")["image"]["bytes"][:-300]}, "image: .*truncated"),
    "no picture": ({"image": b"GIF89a"}, "image: not a PNG"),
    "missing picture": ({"image": None}, "image is missing"),
    "missing mask": ({"annotation": None}, "annotation is missing"),
    "missing colours": ({"annotation_rgb": None}, "annotation_rgb is missing"),
    "truncated mask": ({"annotation": png(MASK)[:-15]}, "annotation: "),
    "no material": ({"material": None}, "material is missing"),
}


@pytest.mark.parametrize(("changes", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_row_fails_the_stage_unless_it_is_allowed_for(data, out, changes, reason):
    write_shard(data / "x.parquet", [record("good"), record("bad", **changes)])
    with pytest.raises(DataRefused, match=f"1 broken rows, allowed are 0: bad: {reason}"):
        download(out / "strict", data)
    assert not (out / "strict" / "raw" / artifact.MANIFEST).exists()

    download(out / "lenient", data, max_quarantined=1)
    report = read_report(out / "lenient" / "raw")
    assert [row.id for row in iter_rows(out / "lenient" / "raw")] == ["good"]
    assert [(row.id, report.pictures) for row in report.quarantined] == [("bad", 1)]
    assert report.quarantined[0].reason in (out / "lenient" / "raw" / "card.html").read_text().replace("&#x27;", "'")


def turned(pixels: np.ndarray) -> bytes:
    """`pixels` with the EXIF note that they should be shown turned by 90 degrees."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    return stream.getvalue()


CONTRADICTIONS = {
    "turned picture, unturned mask": ({"image": turned(palette()[MASK])}, "image is 24 x 32 px, annotation 32 x 24 px.*EXIF orientation"),
    "other size": (colored(np.zeros((23, 32), np.uint8)), "picture bad: image is 32 x 24 px, annotation 32 x 23 px"),
    "wrong value": ({"annotation": png(MASK + 17)}, r"picture bad: .*17 \(768 px\)"),
    "mask in colours": ({"annotation": png(palette()[MASK])}, "picture bad: .*pixel format 'RGB'"),
    "other colours": (
        {"annotation": png(MASK + 14), "annotation_rgb": png(palette()[MASK + 15])},
        r"picture bad: .*14 = #F6FF1B \(expected #809693\)",
    ),
    "colours of another size": ({"annotation_rgb": png(palette()[MASK[:20]])}, "picture bad: annotation is .* annotation_rgb 32 x 20"),
    "unsafe id": ({"id": "../../bad"}, r"'\.\./\.\./bad' is not a safe name"),
    "no id": ({"id": None}, "'' is not a safe name"),
    "id twice": ({"id": "good"}, "'good' occurs twice"),
}


@pytest.mark.parametrize(("changes", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_annotation_that_contradicts_itself_is_never_left_out_quietly(data, out, changes, message):
    write_shard(data / "x.parquet", [record("good"), record("bad", **changes)])
    with pytest.raises(DataRefused, match=message):
        download(out, data, max_quarantined=10)


def test_one_wrong_pixel_of_colour_is_found(data, out):
    colors = palette()[MASK].copy()
    colors[-1, -1] = (1, 2, 3)
    write_shard(data / "x.parquet", [record("a", annotation=png(MASK), annotation_rgb=png(colors))])
    with pytest.raises(DataRefused, match=r"0 = #010203 \(expected #000000\)"):
        download(out, data)


def test_a_source_of_broken_rows_only_is_refused(data, out):
    write_shard(data / "x.parquet", [record("bad", image=b"x")])
    with pytest.raises(DataRefused, match="no usable picture"):
        download(out, data, max_quarantined=5)


def test_a_source_without_rows_is_refused(data, out):
    data.mkdir()
    pq.write_table(pa.Table.from_pylist([], SCHEMA), data / "x.parquet")
    with pytest.raises(DataRefused, match=r"no usable picture \(0 rows\)"):
        download(out, data)


def test_a_picture_and_its_mask_that_are_turned_alike_stay_together(data, out):
    files = {"image": turned(palette()[MASK]), "annotation": turned(MASK), "annotation_rgb": turned(palette()[MASK])}
    write_shard(data / "x.parquet", [record("a", **files)])
    download(out, data)
    (row,) = iter_rows(out / "raw")
    assert (row.width, row.height) == (24, 32)
    assert decode_mask(row.annotation).shape == (32, 24)
    assert read_report(out / "raw").conversions == {"EXIF orientation applied": 1}


def test_conversions_are_counted(data, out):
    grey = np.full((24, 32), 90, np.uint8)
    write_shard(data / "x.parquet", [record("a"), record("b", image=png(grey)), record("c", image=png(grey + 1))])
    download(out, data)
    assert read_report(out / "raw").conversions == {"pixel format L to RGB": 2}


def test_the_card_escapes_what_the_data_say(data, out):
    write_shard(data / "x.parquet", [record("a", type="<script>alert(1)</script>")])
    download(out, data)
    card = (out / "card.html").read_text()
    assert "<script" not in card
    assert "&lt;script&gt;alert(1)" in card
    assert card == (out / "raw" / "card.html").read_text()


def test_the_sample_says_that_it_is_generated_and_repeats_itself(tmp_path):
    first, second, other = (download(tmp_path / name, "sample", pictures=1, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    report = read_report(tmp_path / "a" / "raw")
    assert (report.pictures, report.source, report.citation) == (1, "generated sample, seed 5", "")
    assert "generated" in report.licence
    assert first.digest == second.digest != other.digest


@pytest.mark.parametrize("wrong", [{"pictures": 0}, {"seed": -1}])
def test_a_sample_that_cannot_be_made_is_refused(out, wrong):
    with pytest.raises(UsageError, match="at least one picture"):
        download(out, "sample", **wrong)


@pytest.mark.skipif(not REAL.is_dir(), reason="the eight real pictures are not on this machine")
def test_the_real_pictures_are_read_with_their_partial_labels(out):
    download(out, REAL)
    report = read_report(out / "raw")
    assert (report.pictures, report.quarantined) == (8, [])
    assert report.class_pictures["Clean"] == 4
    assert report.labelled_share == pytest.approx(0.526, abs=1e-3)
    assert report.materials == {"Canvas": 1, "Paper": 4, "Tesserae": 2, "Wood": 1}
    assert "AFL-3.0" in report.licence
    assert "WACV 2025" in report.citation
