import numpy as np
import pytest

from patina.compare.conclusion import conclude, headline, is_generated, percent, points, warn
from patina.compare.evidence import gather, groups_of
from patina.compare.ranking import rank
from patina.compare.settings import CompareConfig

from .conftest import counts_of

SETTINGS = CompareConfig(replicates=400)
VARIED = np.random.default_rng(0).uniform(0.4, 0.8, 24)


def ranking_of(bench, pictures=24, groups=None, **models):
    for name, quality in models.items():
        bench.add(name, counts_of(pictures, quality))
    bench.split(pictures, groups=groups)
    candidates = gather(bench.evaluations, bench.models)
    return rank(candidates, groups_of(bench.splits, candidates[0].evaluation), SETTINGS, 0), candidates


def warnings_of(ranking, candidates, validation=10, quarantined=0, generated=False):
    evaluation = candidates[0].evaluation
    return warn(ranking, evaluation.counts.sum(2), evaluation.summary, validation, quarantined, generated, SETTINGS)


def test_a_clear_lead_is_called_one(bench):
    ranking, _ = ranking_of(bench, good=VARIED + 0.15, poor=VARIED)
    assert ranking.resolved is True
    assert headline(ranking) == "good maps the damage best of 2 models"
    assert "larger than chance explains" in conclude(ranking, False)[1]


def test_a_lead_within_chance_names_all_who_may_be_the_best(bench):
    other = np.random.default_rng(1).permutation(VARIED)
    ranking, _ = ranking_of(bench, one=VARIED, two=other, poor=VARIED - 0.35)
    assert ranking.resolved is False
    assert "not by enough" in headline(ranking)
    order = conclude(ranking, False)[1]
    assert "within chance" in order
    assert "which of" in order
    assert "shown to be better than poor" in order


def test_models_that_predict_the_same_are_not_told_apart(bench):
    ranking, _ = ranking_of(bench, one=VARIED, two=VARIED)
    assert ranking.resolved is False
    assert [entry.name for entry in ranking.entries] == ["one", "two"]
    assert [entry.first_share for entry in ranking.entries] == [0.5, 0.5]


def test_a_single_model_is_judged_against_clean_alone(bench):
    ranking, _ = ranking_of(bench, only=VARIED)
    assert ranking.resolved is None
    assert "nothing to compare it with" in headline(ranking)
    assert len(conclude(ranking, False)) == 2
    assert "gains" in conclude(ranking, False)[1]


def test_models_no_better_than_clean_are_said_to_find_nothing(bench):
    ranking, _ = ranking_of(bench, one=0.02, two=0.01)
    assert headline(ranking) == "No model is shown to find damage"
    assert "no model is shown to do better" in conclude(ranking, False)[-1]


@pytest.mark.parametrize(("pictures", "groups"), [(2, None), (1, None), (20, ["g"] * 20), (10, [f"g{index % 5}" for index in range(10)])])
def test_without_six_groups_nothing_is_claimed(bench, pictures, groups):
    ranking, candidates = ranking_of(bench, pictures=pictures, groups=groups, good=0.9, poor=0.2)
    assert ranking.winner.name == "good"
    assert ranking.winner.low is None
    assert ranking.resolved is False
    assert headline(ranking) == "Too few test pictures to rank the models"
    assert "cannot tell the order" in " ".join(conclude(ranking, False))
    assert any("no interval can be given" in warning for warning in warnings_of(ranking, candidates))


def test_generated_pictures_are_no_evidence(bench):
    ranking, candidates = ranking_of(bench, good=VARIED)
    assert "generated" in conclude(ranking, generated=True)[-1]
    assert "no evidence" in warnings_of(ranking, candidates, generated=True)[0]
    assert is_generated("generated sample")
    assert not is_generated("danielaivanova/damaged-media@282271d")


def test_each_weakness_of_the_data_has_its_warning(bench):
    bench.split(13)
    counts = counts_of(13, 0.6)
    counts[4, 5, 5] = 40
    counts[12] = 0
    bench.add("only", counts)
    candidates = gather(bench.evaluations, bench.models)
    ranking = rank(candidates, groups_of(bench.splits, candidates[0].evaluation), SETTINGS, 0)
    text = "\n".join(warnings_of(ranking, candidates, validation=3, quarantined=2))
    for expected in (
        "Only 12 test pictures",
        "Not in the test pictures: Dust, Scratch, Dirt",
        "In one or two test pictures only: Hair.",
        "of the test pixels are labelled",
        "1 test picture has no labelled pixel",
        "chosen on 3 validation pictures",
        "2 pictures were set aside",
    ):
        assert expected in text


def test_sound_data_brings_no_warning_but_the_absent_classes(bench):
    bench.split(24)
    bench.add("only", counts_of(24, 0.6, classes=tuple(range(16)), pixels=9000))
    candidates = gather(bench.evaluations, bench.models)
    ranking = rank(candidates, groups_of(bench.splits, candidates[0].evaluation), SETTINGS, 0)
    assert warnings_of(ranking, candidates) == []


def test_numbers_keep_their_sign_and_their_unit():
    assert percent(0.3124) == "31.2\N{NO-BREAK SPACE}%"
    assert (points(0.031), points(0.031, sign=True), points(-0.031, sign=True)) == ("3.1", "+3.1", "−3.1")
