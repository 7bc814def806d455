import hashlib
import threading

import cv2
import numpy as np
import pytest

from patina.core.errors import DataRefused
from patina.core.session import Session
from patina.core.splits import read_splits
from patina.split import content
from patina.split.content import same_content

SIDE = 240


def drawing(number: int):
    """uint8 [240, 240, 3]: paper grain with strokes, spots and words, different for each `number`."""
    rng = np.random.default_rng(number)
    noise = cv2.resize(rng.integers(90, 230, (30, 30, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    for _ in range(25):
        color = rng.integers(0, 256, 3).tolist()
        start, end = rng.integers(0, SIDE, (2, 2)).tolist()
        cv2.line(noise, start, end, color, int(rng.integers(1, 4)), cv2.LINE_AA)
        cv2.circle(noise, rng.integers(0, SIDE, 2).tolist(), int(rng.integers(2, 14)), color, -1, cv2.LINE_AA)
    return noise


@pytest.fixture
def make_picture(make_row):
    """A row whose picture is the array `pixels`, saved as `form`."""

    def make(number, pixels, form=".png", **changes):
        data = cv2.imencode(form, np.ascontiguousarray(pixels))[1].tobytes()
        height, width = pixels.shape[:2]
        columns = {"image": data, "width": width, "height": height, "sha256": hashlib.sha256(data).hexdigest()} | changes
        return make_row(number, **columns)

    return make


@pytest.fixture
def pictures(make_picture):
    return [make_picture(number, drawing(number)) for number in range(8)]


@pytest.mark.parametrize(
    ("change", "form"),
    [
        (lambda pixels: pixels[:, ::-1], ".png"),
        (np.rot90, ".jpg"),
        (lambda pixels: pixels[20:210, 30:220], ".jpg"),
        (lambda pixels: cv2.resize(pixels, (360, 360)), ".png"),
    ],
    ids=["flipped", "turned", "cropped", "enlarged"],
)
def test_pictures_of_the_same_content_stay_together(tmp_path, pictures, make_picture, make_raw, divided, change, form):
    divided(make_raw([*pictures, make_picture(20, change(drawing(3)), form)]), near_duplicates="content")
    groups = read_splits(tmp_path / "out" / "splits").set_index("id")["group"].to_dict()
    assert groups == {row.id: row.id for row in pictures} | {"p020": "p003"}
    assert "p003, p020: the same content, correlation" in (tmp_path / "out" / "balance.html").read_text()


def test_a_file_that_occurs_twice_is_compared_once(tmp_path, pictures, make_picture, make_raw, divided, monkeypatch):
    described = []
    monkeypatch.setattr(content, "describe", described.append)
    monkeypatch.setattr(content, "alike_within", lambda features: [])
    divided(make_raw([*pictures, make_picture(20, drawing(3))]), near_duplicates="content")
    assert len(described) == len(pictures)
    assert read_splits(tmp_path / "out" / "splits")["group"].tolist().count("p003") == 2


def test_pictures_above_the_memory_budget_are_decoded_one_at_a_time(tmp_path, pictures, make_raw, monkeypatch):
    active, most, lock = 0, 0, threading.Lock()

    def describe(picture):
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        result = picture.mean()
        with lock:
            active -= 1
        return result

    monkeypatch.setattr(content, "describe", describe)
    monkeypatch.setattr(content, "alike_within", lambda features: [])
    monkeypatch.setattr(content, "_PIXELS_AHEAD", SIDE * SIDE)
    assert same_content(make_raw(pictures), [row.id for row in pictures], Session(tmp_path, "split", None)) == []
    assert most == 1


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path, pictures, make_row, make_raw):
    raw = make_raw([*pictures, make_row(50, image=b"no picture")])
    with pytest.raises(DataRefused, match="picture p050: not a PNG, JPEG or TIFF file"):
        same_content(raw, ["p050"], Session(tmp_path, "split", None))


def test_the_division_by_content_does_not_depend_on_the_order_of_the_rows(pictures, make_picture, make_raw, divided):
    rows = [*pictures, make_picture(20, drawing(3)[::-1]), make_picture(21, drawing(3)[20:210, 20:210])]
    first = divided(make_raw(rows), "a", near_duplicates="content")[0]
    second = divided(make_raw(rows[::-1], "reversed"), "b", near_duplicates="content")[0]
    assert first.digest == second.digest
