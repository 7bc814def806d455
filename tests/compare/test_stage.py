import csv
import json

import numpy as np
import pytest

from patina.compare.stage import run
from patina.core import artifact
from patina.core.errors import DataRefused, UsageError
from patina.core.session import Session

from .conftest import counts_of, seal_evaluation, seal_model

QUALITY = {"unet-mit_b0": 0.8, "unet-convnext_atto": 0.6, "unet-maxvit_pico": 0.4}


@pytest.fixture
def compare(bench, tmp_path):
    def go(settings='{"replicates": 200}', seed=0, models=None):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        session = Session(out, "compare", None)
        places = (out / "comparison", out / "champion", out / "report.html")
        return run(
            bench.evaluations, models or bench.models, bench.splits, bench.tiles, bench.test_images, *places, seed, settings, session
        ), out

    return go


@pytest.fixture
def three(bench):
    for name, quality in QUALITY.items():
        bench.add(name, counts_of(12, quality), examples=["p00", "p03"])
    return bench.split(12)


def test_the_best_model_is_crowned_and_keeps_its_content(three, compare):
    result, out = compare()
    assert result.architecture == "unet-mit_b0"
    champion = artifact.open_artifact(out / "champion", "model")
    original = artifact.read_manifest(three.models[0])
    assert champion.digest == original.digest
    assert champion.inputs == {"model": original.digest}
    assert champion.config == original.config


def test_evaluations_find_their_models_by_digest_not_by_place(three, compare):
    result, out = compare(models=three.models[::-1])
    assert result.architecture == "unet-mit_b0"
    assert (out / "champion" / "model.safetensors").read_bytes() == b"unet-mit_b0"


def test_summary_table_and_manifest_agree(three, compare):
    result, out = compare()
    summary = json.loads((out / "comparison" / "summary.json").read_text())
    table = list(csv.DictReader((out / "comparison" / "ranking.csv").open()))
    assert [entry["architecture"] for entry in summary["ranking"]] == list(QUALITY)
    assert [row["architecture"] for row in table] == list(QUALITY)
    assert float(table[0]["miou"]) == summary["ranking"][0]["miou"] == result.miou
    assert (table[0]["rank"], table[0]["behind"]) == ("1", "")
    assert (summary["test_pictures"], summary["groups"]) == (12, 12)
    assert summary["classes_present"] == ["Clean", "Material loss", "Peel", "Cracks"]
    assert summary["ranking"][0]["per_class_iou"]["Hair"] is None
    assert summary["resolved"] is True
    manifest = artifact.open_artifact(out / "comparison", "comparison")
    assert len(manifest.inputs) == 9
    assert manifest.config["seed"] == 0
    assert set(manifest.facts) == {"report.html"}


def test_bounds_lie_around_the_scores(three, compare):
    _, out = compare()
    for entry in json.loads((out / "comparison" / "summary.json").read_text())["ranking"]:
        assert entry["low"] <= entry["miou"] <= entry["high"]
        assert entry["gain_low"] <= entry["gain_over_clean"] <= entry["gain_high"]


def test_equal_evidence_and_seed_give_an_equal_comparison(three, compare):
    digests = [compare(seed=seed)[0].comparison.digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_test_set_without_labels_cannot_be_compared(bench, compare):
    bench.add("unet-mit_b0", np.zeros((3, 16, 16), np.int64)).split(3)
    with pytest.raises(DataRefused, match="none of the 3 test pictures has a labelled pixel"):
        compare()


def test_two_models_of_one_architecture_are_told_apart_by_their_digests(bench, compare):
    bench.add("unet-mit_b0", counts_of(8, 0.7)).split(8)
    model = bench.root / "other"
    seal_model(model, "unet-mit_b0", bench.trained_on())
    (model / "model.safetensors").write_bytes(b"other weights")
    digest = artifact.seal(model, "model", inputs={"tiles": bench.trained_on()}, config={}, image="train").digest
    seal_evaluation(bench.root / "other-evaluation", "unet-mit_b0", digest, counts_of(8, 0.9), bench.judged_on(8))
    bench.models.append(model)
    bench.evaluations.append(bench.root / "other-evaluation")
    _, out = compare()
    names = [entry["name"] for entry in json.loads((out / "comparison" / "summary.json").read_text())["ranking"]]
    assert names[0] == f"unet-mit_b0 ({digest[:6]})"
    assert len(set(names)) == 2
    assert (out / "champion" / "model.safetensors").read_bytes() == b"other weights"


def test_an_evaluation_without_its_model_is_refused(three, compare):
    with pytest.raises(DataRefused, match="not among the models: 3 evaluations, 2 models"):
        compare(models=three.models[:2])


def test_a_model_without_its_evaluation_is_refused(three, compare):
    three.evaluations.pop()
    with pytest.raises(DataRefused, match="has no evaluation"):
        compare()


def test_an_evaluation_that_comes_twice_is_refused(three, compare):
    three.evaluations.append(three.evaluations[0])
    with pytest.raises(DataRefused, match="evaluated twice"):
        compare()


def test_models_judged_on_other_truth_are_refused(bench, compare):
    bench.add("unet-mit_b0", counts_of(8, 0.7)).add("unet-convnext_atto", counts_of(8, 0.7, seed=1)).split(8)
    with pytest.raises(DataRefused, match="different test pictures"):
        compare()


def test_pictures_that_the_division_does_not_know_as_test_are_refused(bench, compare):
    bench.add("unet-mit_b0", counts_of(8, 0.7)).split(7)
    with pytest.raises(DataRefused, match="'p07' was evaluated but is no test picture"):
        compare()


def test_nothing_to_compare_is_refused(bench, compare):
    bench.split(3)
    with pytest.raises(DataRefused, match="no evaluation came in"):
        compare()


def test_a_damaged_evaluation_is_refused(three, compare):
    (three.evaluations[0] / "metrics.json").write_text("{}")
    with pytest.raises(DataRefused, match=r"metrics\.json"):
        compare()


def test_a_wrong_setting_is_named_with_its_neighbours(three, compare):
    with pytest.raises(UsageError, match=r"unknown key 'replicate'.*replicates"):
        compare('{"replicate": 5}')
