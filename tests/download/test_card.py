import io

import numpy as np
import pytest
from PIL import Image

from patina.core.raw_report import Quarantined, RawReport
from patina.core.taxonomy import CLASS_NAMES, CLASSES
from patina.download.card import Examples, data_card
from patina.download.check import check_row
from patina.download.rows import SourceRow


def report(**changes) -> RawReport:
    none = dict.fromkeys(CLASS_NAMES, 0)
    fields = {
        "source": "folder scans",
        "licence": "CC0",
        "citation": "",
        "pictures": 3,
        "quarantined": [],
        "conversions": {},
        "labelled_share": 0.5,
        "class_pixels": none | {"Clean": 90, "Hair": 10},
        "class_pictures": none | {"Clean": 3, "Hair": 1},
        "materials": {"Paper": 3},
        "contents": {"Line art": 3},
        "types": {"Map": 3},
        "sizes": dict.fromkeys(("width", "height", "megapixels"), (1.0, 2.0, 3.0)),
    }
    return RawReport.model_validate(fields | changes)


def checked(mask: np.ndarray, identifier: str = "a", material: str = "Paper"):
    files = []
    for pixels in (np.full((*mask.shape, 3), 200, np.uint8), mask):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        files.append(stream.getvalue())
    row = SourceRow(identifier, files[0], files[1], None, material, "Line art", "Map")
    return check_row(row, max_pixels=10_000_000, masks="single")


def overlay(examples: Examples) -> np.ndarray:
    ((files, _),) = examples.figures
    with Image.open(io.BytesIO(files[1]), formats=("JPEG",)) as image:
        return np.asarray(image).astype(int)


def test_a_scratch_of_one_pixel_is_seen_on_the_view_of_a_large_picture():
    mask = np.zeros((1600, 1200), np.uint8)
    mask[:, 637] = 4
    examples = Examples()
    examples.offer(checked(mask))
    view = overlay(examples)
    green = (view[..., 1] - view[..., 0])[20:-20].mean(axis=0)
    assert green.argmax() == pytest.approx(637 / 1200 * view.shape[1], abs=1.5)
    assert green.max() > 25 + np.median(green)


def test_damage_has_its_colour_and_pixels_without_a_label_are_grey():
    mask = np.zeros((300, 300), np.uint8)
    mask[:100], mask[200:] = 15, 255
    examples = Examples()
    examples.offer(checked(mask))
    view = overlay(examples)
    height = len(view)
    assert np.abs(view[height // 6, 50] - CLASSES[15].color).max() < 20
    assert np.abs(view[-height // 6, 50] - 128).max() < 10


def test_each_material_and_each_class_is_shown_once():
    examples = Examples()
    clean, hair = np.zeros((30, 30), np.uint8), np.full((30, 30), 5, np.uint8)
    for identifier, mask, material in (
        ("a", clean, "Paper"),
        ("b", clean, "Paper"),
        ("c", clean, "Glass"),
        ("d", hair, "Glass"),
        ("e", hair, "Paper"),
    ):
        examples.offer(checked(mask, identifier, material))
    assert [caption.partition(",")[0] for _, caption in examples.figures] == ["Paper", "Glass", "Glass"]


def test_groups_notes_conversions_and_quarantine_are_on_the_card():
    left_out = [Quarantined(id=f"q{number}", reason="image is missing") for number in range(60)]
    card = data_card(
        report(quarantined=left_out, conversions={"pixel format L to RGB": 2}),
        Examples(),
        groups={"group_object": {"a": "x", "b": "x"}},
        notes=["1 of 3"],
    )
    for text in ("q49 (image is missing)", "10 more were left out", "pixel format L to RGB", "1 of 3", "Licence: CC0."):
        assert text in card
    assert "<td>group_object</td><td class=number>1</td><td class=number>2</td><td class=number>1</td>" in card


def test_a_long_table_ends_with_the_sum_of_the_rest():
    card = data_card(report(types={f"kind {number:02d}": 1 for number in range(45)}), Examples())
    assert "<td>kind 39</td>" in card
    assert "<td>5 others</td><td class=number>5</td>" in card


def test_everything_that_comes_from_outside_is_escaped():
    evil = "<script>x</script>"
    card = data_card(
        report(source=evil, licence=evil, citation=evil, materials={evil: 3}, quarantined=[Quarantined(id="a", reason=evil)]),
        Examples(),
        groups={"group_x": {"a": evil}},
        notes=[evil],
    )
    assert "<script" not in card
    assert card.count("&lt;script&gt;") == 6
