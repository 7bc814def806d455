import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from patina.core import artifact
from patina.core.errors import DataRefused, UsageError
from patina.core.evaluation import read_evaluation
from patina.core.pictures import decode_mask
from patina.core.session import Session
from patina.core.taxonomy import IGNORE
from patina.evaluate.settings import EvaluateConfig
from patina.evaluate.stage import evaluate_network, run

from .conftest import blocks, make_card, paint, raw_row


@pytest.fixture
def evaluate(tmp_path, network, test_images):
    """Evaluates the network that reads colours on the given rows; returns summary and folder."""

    def go(*rows, card=None, config=EvaluateConfig(examples=2, extremes=1)):  # noqa: B008 - a frozen model
        folder = tmp_path / "evaluation"
        images = test_images(*rows)
        summary = evaluate_network(network, card or make_card(), images, folder, 1, config, Session(tmp_path, "evaluate", None))
        artifact.seal(folder, "evaluation", inputs={}, config={}, image="test")
        return summary, folder

    return go


def test_a_model_that_is_always_right_scores_full_marks(evaluate):
    summary, _ = evaluate(raw_row("a", blocks(70, 90)), raw_row("b", blocks(20, 25)))
    assert summary.miou == 1
    assert summary.pixel_accuracy == 1
    assert [score.name for score in summary.classes if score.iou == 1] == ["Clean", "Material loss", "Peel", "Staining"]
    assert all(score.boundary_f1 == 1 for score in summary.classes if score.iou == 1)


def test_predictions_are_indexed_masks_of_the_pictures_size(evaluate):
    mask = blocks(41, 67)
    _, folder = evaluate(raw_row("a", mask))
    np.testing.assert_array_equal(decode_mask((folder / "predictions" / "a.png").read_bytes()), mask)


@pytest.mark.parametrize("rule", [{"scale_rule": "squash"}, {"scale_rule": "max_side", "max_side": 48}])
def test_a_model_of_shrunken_pictures_is_judged_on_native_pixels(evaluate, rule):
    mask = blocks(96, 120, classes=(0, 1), side=40)
    summary, folder = evaluate(raw_row("a", mask), card=make_card(**rule))
    assert sum(map(sum, summary.confusion)) == mask.size
    assert decode_mask((folder / "predictions" / "a.png").read_bytes()).shape == mask.shape
    assert 0.8 < summary.miou < 1  # edges lose at this scale, areas do not


def test_a_thin_line_counts_in_full_although_the_model_cannot_see_it(evaluate):
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 64] = 9
    summary, _ = evaluate(raw_row("a", mask), card=make_card(scale_rule="squash"))
    assert summary.classes[9].truth_pixels == 128
    assert summary.classes[9].iou < 0.5


def test_unlabelled_pixels_never_count(evaluate):
    mask = blocks(40, 40)
    wrong_where_unlabelled = mask.copy()
    mask[:10] = IGNORE
    wrong_where_unlabelled[:10] = 3
    summary, _ = evaluate(raw_row("a", mask, paint(wrong_where_unlabelled)))
    assert summary.miou == 1
    assert sum(map(sum, summary.confusion)) == 30 * 40
    assert summary.classes[3].predicted_pixels == 0


def test_a_picture_without_a_label_is_kept_with_zero_counts_and_named(evaluate):
    empty = np.full((30, 30), IGNORE, np.uint8)
    summary, folder = evaluate(raw_row("a", blocks(30, 30)), raw_row("b", empty, paint(np.zeros_like(empty))))
    assert summary.unlabelled == ("b",)
    evaluation = read_evaluation(folder)
    assert evaluation.counts[1].sum() == 0
    assert (folder / "predictions" / "b.png").is_file()
    assert pd.read_parquet(folder / "scores.parquet").set_index("id").at["b", "labelled_pixels"] == 0


def test_a_test_set_without_any_label_has_no_scores(evaluate):
    empty = np.full((30, 30), IGNORE, np.uint8)
    summary, folder = evaluate(raw_row("b", empty, paint(np.zeros_like(empty))))
    assert (summary.miou, summary.clean_miou, summary.pixel_accuracy, summary.calibration_error) == (None, None, None, None)
    assert summary.headline() == {}
    assert "NaN" not in (folder / "metrics.json").read_text()


def test_an_evaluation_reads_back_as_it_was_written(evaluate):
    summary, folder = evaluate(raw_row("a", blocks(40, 40), material="Glass"), raw_row("b", blocks(33, 47)))
    evaluation = read_evaluation(folder)
    assert evaluation.summary == summary
    assert evaluation.table["id"].to_list() == ["a", "b"]
    assert evaluation.table["material"].to_list() == ["Glass", "Paper"]
    assert evaluation.counts.sum((1, 2)).tolist() == [40 * 40, 33 * 47]
    assert all(evaluation.example(name, part).is_file() for name in summary.examples for part in ("input", "truth", "prediction"))


def test_counts_that_contradict_the_metrics_are_refused(evaluate):
    _, folder = evaluate(raw_row("a", blocks(40, 40)))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["confusion"][0][0] += 1
    (folder / "metrics.json").write_text(json.dumps(metrics))
    artifact.seal(folder, "evaluation", inputs={}, config={}, image="test")
    with pytest.raises(DataRefused, match="does not add up"):
        read_evaluation(folder)


def test_rows_of_the_matrix_for_the_user_interface_are_percentages(evaluate):
    summary, _ = evaluate(raw_row("a", blocks(40, 40), paint(np.zeros((40, 40), np.uint8))))
    rows = summary.row_percent()
    assert rows[1] == [100] + [0] * 15
    assert sum(rows[5]) == 0
    assert all(type(value) is int for row in rows for value in row)


def test_equal_work_has_equal_digests(evaluate):
    digests = set()
    for _ in range(2):
        _, folder = evaluate(raw_row("a", blocks(40, 40)))
        digests.add(artifact.read_manifest(folder).digest)
    assert len(digests) == 1


def test_the_page_of_figures_needs_nothing_from_elsewhere(evaluate):
    _, folder = evaluate(raw_row("a", blocks(70, 90)), raw_row("b", blocks(40, 40)))
    page = (folder / "figures.html").read_text()
    assert len(page) < 2_000_000
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert len(re.findall(r"<img alt=\"[^\"]+\"", page)) == 5


def test_a_mask_of_another_size_than_its_picture_is_refused(evaluate):
    with pytest.raises(DataRefused, match="a: picture"):
        evaluate(raw_row("a", blocks(40, 40), paint(blocks(40, 41))))


def write_model(folder, card):
    from safetensors.torch import save_file

    from patina.models.network import build

    folder.mkdir()
    network = build(card.architecture, tile_size=card.tile_size, decoder_channels=card.decoder_channels)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "model.json").write_text(card.model_dump_json())
    return artifact.seal(folder, "model", inputs={}, config={}, image="test")


def test_the_stage_seals_what_it_made_of_a_real_model(tmp_path, test_images):
    card = make_card().model_copy(update={"tile_size": 64, "geometry": make_card().geometry.model_copy(update={"tile_size": 64})})
    model = write_model(tmp_path / "model", card)
    images = test_images(raw_row("a", blocks(70, 90)))
    page = tmp_path / "figures.html"
    session = Session(tmp_path, "evaluate", "unet-mit_b0")
    manifest, summary = run(tmp_path / "model", images, tmp_path / "evaluation", page, 1, '{"batch": 2}', session)
    assert manifest.inputs == {"model": model.digest, "test_images": artifact.read_manifest(images).digest}
    assert manifest.config["batch"] == 2
    assert {"facts.json", "figures.html"} == set(manifest.facts)
    assert sum(map(sum, summary.confusion)) == 70 * 90
    assert page.read_text() == (tmp_path / "evaluation" / "figures.html").read_text()
    assert json.loads(Path(tmp_path / "state.json").read_text())["progress"]["done"] == 1


def test_a_model_of_another_view_is_refused(tmp_path, test_images):
    write_model(tmp_path / "model", make_card(view="binary", classes=("Clean", "Damage")).model_copy(update={"tile_size": 64}))
    with pytest.raises(DataRefused, match="view 'binary'"):
        run(
            tmp_path / "model",
            test_images(raw_row("a", blocks(40, 40))),
            tmp_path / "e",
            tmp_path / "f",
            1,
            "{}",
            Session(tmp_path, "e", None),
        )


def test_a_wrong_setting_is_named_with_its_neighbours(tmp_path):
    with pytest.raises(UsageError, match=r"unknown key 'overlop'.*overlap"):
        run(tmp_path, tmp_path, tmp_path / "e", tmp_path / "f", 1, '{"overlop": 0.5}', Session(tmp_path, "e", None))
