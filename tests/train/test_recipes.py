import pytest

from patina.core.errors import UsageError
from patina.train.recipes import quick, recipe, standard
from patina.train.settings import LossConfig


def test_standard_is_the_benchmarks_plan() -> None:
    plan = recipe("standard")
    assert plan == standard()
    assert plan.loss == LossConfig(dice=0.5, focal=0.5, gamma=2.0, smooth=1.0, class_weights="inverse_sqrt")
    assert (plan.optimizer.learning_rate, plan.optimizer.weight_decay, plan.optimizer.clip_norm) == (1e-3, 0.01, 1.0)
    assert (plan.batch_size, plan.patience, plan.min_delta, plan.pretrained) == (96, 10, 0.001, "imagenet")


def test_quick_needs_no_hub() -> None:
    assert recipe("quick") == quick()
    assert quick().pretrained == "none"


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown recipe 'fast'\. Valid names: quick, standard"):
        recipe("fast")
