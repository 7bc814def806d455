import numpy as np

from patina.evaluate.summary import choose_examples, class_scores, material_scores, mean_of


def test_examples_together_show_as_many_kinds_of_damage_as_possible():
    #                 Clean  a  b  c
    truth = np.array([[9, 5, 5, 0], [9, 5, 0, 0], [9, 0, 0, 5], [9, 0, 0, 0]])
    assert choose_examples(truth, ["p", "q", "r", "s"], 2) == ["p", "r"]


def test_pictures_without_a_label_are_no_examples():
    assert choose_examples(np.array([[0, 0], [4, 0]]), ["a", "b"], 5) == ["b"]


def test_the_choice_of_examples_does_not_depend_on_the_order_of_the_pictures():
    truth, ids = np.random.default_rng(0).integers(0, 2, (12, 6)), [f"p{index}" for index in range(12)]
    order = np.random.default_rng(1).permutation(12)
    assert choose_examples(truth, ids, 4) == choose_examples(truth[order], [ids[index] for index in order], 4)


def test_an_absent_class_has_no_scores_but_its_false_alarms_are_counted():
    counts = np.array([[[6, 2], [0, 0]]])
    clean, absent = class_scores(counts, np.array([[0.5, np.nan]]), ("Clean", "Peel"))
    assert (absent.iou, absent.f1, absent.recall, absent.boundary_f1) == (None, None, None, None)
    assert (absent.precision, absent.predicted_pixels, absent.pictures) == (0.0, 2, 0)
    assert (clean.iou, clean.boundary_f1, clean.pictures) == (0.75, 0.5, 1)


def test_boundary_scores_are_averaged_over_the_pictures_that_have_one():
    counts = np.array([[[1, 0], [0, 1]]] * 3)
    assert class_scores(counts, np.array([[1, 0.2], [1, np.nan], [1, 0.6]]), ("Clean", "Peel"))[1].boundary_f1 == np.mean([0.2, 0.6])


def test_the_pictures_of_a_material_are_pooled():
    counts = np.array([[[8, 0], [2, 0]], [[0, 0], [0, 2]], [[0, 0], [0, 0]]])
    glass, paper = material_scores(counts, ["Paper", "Paper", "Glass"])
    assert (glass.material, glass.pictures, glass.miou) == ("Glass", 1, None)
    assert (paper.pictures, paper.miou) == (2, np.mean([8 / 10, 2 / 4]))


def test_the_mean_of_nothing_is_undefined():
    assert np.isnan(mean_of(np.array([np.nan])))
    assert mean_of(np.array([np.nan, 0.5])) == 0.5
