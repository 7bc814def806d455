import numpy as np
import pytest

from patina.core.taxonomy import IGNORE, palette
from patina.evaluate import views


@pytest.mark.parametrize("thickness", [2, 3, 6])
def test_a_thin_line_survives_strong_shrinking(thickness):
    labels = np.zeros((800, 800), np.uint8)
    labels[:, 400 : 400 + thickness] = 5
    shrunk = views.shrink_labels(labels, 100)
    assert shrunk.shape == (100, 100)
    assert (shrunk == 5).any(1).all()
    assert (shrunk == 5).mean() < 0.03


def test_a_small_picture_is_not_enlarged():
    assert views.shrink_picture(np.zeros((20, 30, 3), np.uint8), 100).shape == (20, 30, 3)
    assert views.shrink_labels(np.zeros((20, 30), np.uint8), 100).shape == (20, 30)


def test_the_longer_side_gets_the_asked_length_and_the_shape_is_kept():
    assert views.view_size(500, 1000, 100) == (50, 100)
    assert views.view_size(3, 3000, 100) == (1, 100)


def test_an_overlay_shows_damage_in_its_colour_and_leaves_the_rest_grey():
    labels = np.zeros((16, 16), np.uint8)
    labels[4:8] = 2
    shown = views.overlay(np.full((16, 16, 3), 90, np.uint8), labels, palette())
    assert np.abs(shown[5, 5].astype(int) - palette()[2]).max() < 45
    assert len(set(shown[0, 0].tolist())) == 1


def test_unlabelled_areas_are_hatched_in_every_view():
    labels = np.full((16, 16), IGNORE, np.uint8)
    picture = np.full((16, 16, 3), 90, np.uint8)
    for shown in (views.overlay(picture, labels, palette()), views.error_view(picture, labels, np.ones_like(labels))):
        assert set(np.unique(shown)) == {120, 235}


@pytest.mark.parametrize(
    ("truth", "prediction", "color"),
    [(1, 1, views.RIGHT), (1, 2, views.WRONG_KIND), (1, 0, views.MISSED), (0, 1, views.FALSE_ALARM)],
)
def test_each_kind_of_error_has_its_colour(truth, prediction, color):
    maps = (np.full((4, 4), value, np.uint8) for value in (truth, prediction))
    shown = views.error_view(np.full((4, 4, 3), 90, np.uint8), *maps)
    assert np.abs(shown[0, 0].astype(int) - color).max() < 40
