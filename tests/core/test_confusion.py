import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from patina.core import confusion as scores
from patina.core.errors import DataRefused
from patina.core.taxonomy import IGNORE

CLASSES = 5
LABELS = list(range(CLASSES))


@st.composite
def maps(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=12))
    values = st.one_of(st.integers(0, CLASSES - 1), st.just(IGNORE))
    truth = draw(hnp.arrays(np.uint8, shape, elements=values))
    return truth, draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)))


def labelled(truth, prediction):
    return truth[truth != IGNORE], prediction[truth != IGNORE]


@settings(max_examples=40, deadline=None)
@given(maps())
def test_counts_equal_sklearns_on_the_labelled_pixels(pair):
    known, guessed = labelled(*pair)
    expected = metrics.confusion_matrix(known, guessed, labels=LABELS) if known.size else np.zeros((CLASSES, CLASSES), int)
    counts = scores.confusion(*pair, CLASSES)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)


@settings(max_examples=40, deadline=None)
@given(maps())
def test_class_scores_equal_sklearns_where_the_truth_holds_the_class(pair):
    known, guessed = labelled(*pair)
    counts = scores.confusion(*pair, CLASSES)
    present = np.isin(LABELS, known)
    for ours, theirs in ((scores.iou, metrics.jaccard_score), (scores.f1, metrics.f1_score), (scores.recall, metrics.recall_score)):
        result = ours(counts)
        np.testing.assert_array_equal(np.isnan(result), ~present)
        if known.size:
            expected = theirs(known, guessed, labels=LABELS, average=None, zero_division=0)
            np.testing.assert_allclose(result[present], expected[present])


@settings(max_examples=40, deadline=None)
@given(maps())
def test_precision_equals_sklearns_where_the_class_was_predicted(pair):
    known, guessed = labelled(*pair)
    result = scores.precision(scores.confusion(*pair, CLASSES))
    predicted = np.isin(LABELS, guessed)
    np.testing.assert_array_equal(np.isnan(result), ~predicted)
    if known.size:
        expected = metrics.precision_score(known, guessed, labels=LABELS, average=None, zero_division=0)
        np.testing.assert_allclose(result[predicted], expected[predicted])


@settings(max_examples=40, deadline=None)
@given(maps())
def test_mean_iou_is_sklearns_macro_jaccard_over_the_classes_of_the_truth(pair):
    known, guessed = labelled(*pair)
    result = scores.mean_iou(scores.confusion(*pair, CLASSES))
    if not known.size:
        assert np.isnan(result)
    else:
        assert result == pytest.approx(metrics.jaccard_score(known, guessed, labels=np.unique(known), average="macro", zero_division=0))


@settings(max_examples=40, deadline=None)
@given(maps(), st.integers(1, 6))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(pair, parts):
    pieces = zip(*(np.array_split(side.ravel(), parts) for side in pair), strict=True)
    np.testing.assert_array_equal(sum(scores.confusion(*piece, CLASSES) for piece in pieces), scores.confusion(*pair, CLASSES))


@settings(max_examples=40, deadline=None)
@given(st.lists(maps(), min_size=1, max_size=4))
def test_many_tables_score_as_each_alone(pairs):
    tables = np.stack([scores.confusion(*pair, CLASSES) for pair in pairs])
    np.testing.assert_array_equal(scores.mean_ious(tables), [scores.mean_iou(table) for table in tables])


def test_a_class_that_is_predicted_but_absent_from_the_truth_does_not_enter_the_mean():
    counts = np.array([[6, 2], [0, 0]])
    assert np.isnan(scores.iou(counts)[1])
    assert scores.mean_iou(counts) == pytest.approx(6 / 8)


def test_pooling_comes_before_the_ratio():
    without_damage = np.array([[100, 0], [0, 0]])
    with_damage = np.array([[0, 0], [10, 10]])
    pooled = scores.mean_iou(without_damage + with_damage)
    assert pooled == pytest.approx((100 / 110 + 10 / 20) / 2)
    assert pooled != pytest.approx((scores.mean_iou(without_damage) + scores.mean_iou(with_damage)) / 2)


def test_a_picture_larger_than_one_block_is_counted_whole(monkeypatch):
    monkeypatch.setattr(scores, "_BLOCK", 7)
    truth = np.arange(30, dtype=np.uint8).reshape(5, 6) % CLASSES
    assert scores.confusion(truth, truth, CLASSES).tolist() == np.diag([6] * CLASSES).tolist()


def test_weighted_and_plain_accuracy_of_a_known_table():
    counts = np.array([[80, 10], [5, 5]])
    assert scores.pixel_accuracy(counts) == pytest.approx(0.85)
    assert scores.frequency_weighted_iou(counts) == pytest.approx(0.9 * 80 / 95 + 0.1 * 5 / 20)


def test_always_clean_keeps_the_truth_and_finds_no_damage():
    counts = np.array([[80, 10, 0], [5, 5, 0], [0, 0, 0]])
    baseline = scores.all_clean(counts)
    np.testing.assert_array_equal(baseline.sum(1), counts.sum(1))
    assert scores.mean_iou(baseline) == pytest.approx((90 / 100 + 0) / 2)


def test_without_a_labelled_pixel_every_score_is_nan():
    counts = scores.confusion(np.full((2, 2), IGNORE, np.uint8), np.zeros((2, 2), np.uint8), CLASSES)
    figures = (scores.mean_iou(counts), scores.pixel_accuracy(counts), scores.frequency_weighted_iou(counts), *scores.iou(counts))
    assert np.isnan(figures).all()


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.array([CLASSES], np.uint8), np.array([0], np.uint8), r"truth holds the values \[5\]"),
        (np.array([0], np.uint8), np.array([254], np.uint8), r"prediction holds the values \[254\]"),
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), "one shape"),
        (np.zeros(2, np.int64), np.zeros(2, np.uint8), "truth is int64"),
    ],
)
def test_values_and_shapes_that_cannot_be_right_are_refused(truth, prediction, message):
    with pytest.raises(DataRefused, match=message):
        scores.confusion(truth, prediction, CLASSES)


def test_an_ignored_pixel_may_hold_any_prediction():
    assert scores.confusion(np.array([IGNORE], np.uint8), np.array([IGNORE], np.uint8), CLASSES).sum() == 0
