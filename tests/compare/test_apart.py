import json

import numpy as np
import pytest

from patina.compare.stage import run
from patina.core.errors import DataRefused
from patina.core.session import Session

from .conftest import counts_of, seal_test_images, seal_tiles, textured

LEAKS = {
    "a copy": {"t9": ("t9", textured(4)[:, ::-1].copy())},
    "the picture itself": {"p04": ("p04", textured(950))},
    "a relative": {"t9": ("g4", textured(950))},
}


@pytest.fixture
def compared(bench, tmp_path):
    """Compares two models on 12 test pictures, with the given tiles among the training tiles; returns summary, report and short report."""

    def go(leaks):
        bench.leaks = leaks
        bench.add("unet-mit_b0", counts_of(12, 0.8)).add("unet-convnext_atto", counts_of(12, 0.5)).split(12)
        page = compare(bench, tmp_path)
        folder = tmp_path / "comparison"
        return json.loads((folder / "summary.json").read_text()), page.read_text(), (folder / "report.md").read_text()

    return go


def compare(bench, tmp_path):
    places = (tmp_path / "comparison", tmp_path / "champion", tmp_path / "report.html")
    inputs = (bench.evaluations, bench.models, bench.splits, bench.tiles, bench.test_images)
    run(*inputs, *places, 0, '{"replicates": 200}', Session(tmp_path, "compare", None))
    return tmp_path / "report.html"


def test_a_report_without_a_leak_says_what_was_compared(compared):
    summary, page, short = compared({})
    assert summary["leaks"]["found"] is False
    assert summary["headline"] == "unet-mit_b0 maps the damage best of 2 models"
    for text in (page, short):
        assert "Do the test pictures stand apart?" in text
        assert "Nothing of the training and validation tiles (2 pictures) was found in the test pictures (12)." in text
        assert "Compared exactly: ids and donors, groups." in text
    assert "void" not in summary["conclusion"]
    assert 'class="void"' not in page


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_stands_at_the_top_and_in_the_conclusion(compared, leak):
    summary, page, short = compared(LEAKS[leak])
    (name,) = LEAKS[leak]
    assert summary["leaks"]["found"] is True
    assert summary["headline"] == "The figures are void: test pictures were seen in training"
    assert summary["conclusion"].startswith(
        "These figures are void for comparison: 1 test picture or relatives of it were seen in training"
    )
    assert name in summary["conclusion"]
    assert page.index('class="void"') < page.index("<h1>")
    assert page.count("These figures are void for comparison") == 1
    assert "that none of the models had seen" not in page
    assert "no model has\nseen a test picture" not in page
    assert short.startswith("# The figures are void")
    assert f"<td>{name}</td><td>p04</td>" in page


def test_a_leak_does_not_stop_the_ranking(compared):
    summary, _, _ = compared(LEAKS["a copy"])
    assert [entry["name"] for entry in summary["ranking"]] == ["unet-mit_b0", "unet-convnext_atto"]


def test_only_three_pairs_are_named_in_the_conclusion(compared):
    summary, page, _ = compared({f"t{index + 20}": ("x", textured(index)[::-1].copy()) for index in range(5)})
    assert "5 test pictures or relatives of them" in summary["conclusion"]
    assert "2 more pairs are in the report" in summary["conclusion"]
    assert page.count("<td>t2") == 5


def test_tiles_that_the_models_were_not_trained_on_are_refused(bench, tmp_path):
    bench.add("unet-mit_b0", counts_of(8, 0.8)).split(8)
    bench.tiles = tmp_path / "others"
    seal_tiles(bench.tiles, {"t0": ("t0", np.zeros((64, 64, 3), np.uint8))})
    with pytest.raises(DataRefused, match=r"others has digest .*but model unet-mit_b0 was trained on"):
        compare(bench, tmp_path)


def test_pictures_that_the_models_were_not_judged_on_are_refused(bench, tmp_path):
    bench.add("unet-mit_b0", counts_of(8, 0.8)).split(8)
    bench.test_images = tmp_path / "others"
    seal_test_images(bench.test_images, ["p00"])
    with pytest.raises(DataRefused, match=r"others has digest .*but model unet-mit_b0 was judged on"):
        compare(bench, tmp_path)
