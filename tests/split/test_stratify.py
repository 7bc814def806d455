from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patina.core.errors import DataRefused
from patina.split.stratify import Group, divide

SHARES = {"val": 0.15, "test": 0.25}
SIDES = {"train", "val", "test"}


def singles(*labels: str) -> list[Group]:
    return [Group(f"g{i:03}", 1, frozenset(label.split())) for i, label in enumerate(labels)]


def sides_of(groups, label, result):
    return Counter(result[group.name] for group in groups if label in group.labels)


def test_the_sides_have_the_sizes_that_were_asked_for():
    result = divide(singles(*["paper"] * 96), SHARES, seed=0, trials=5)
    assert Counter(result.values()) == {"train": 58, "val": 14, "test": 24}


def test_each_label_is_spread_as_the_pictures_are():
    groups = singles(*["paper"] * 60, *["glass"] * 40)
    result = divide(groups, SHARES, seed=1, trials=5)
    assert sides_of(groups, "glass", result) == {"train": 24, "val": 6, "test": 10}


@pytest.mark.parametrize("seed", range(10))
def test_what_three_groups_carry_is_on_every_side(seed):
    labels = ["paper"] * 50
    for place, rare in enumerate(["hair", "dust", "burn"] * 3):
        labels[5 * place] += f" {rare}"
    groups = singles(*labels)
    result = divide(groups, SHARES, seed=seed, trials=20)
    for rare in ("hair", "dust", "burn"):
        assert set(sides_of(groups, rare, result)) == SIDES


def test_the_only_group_with_a_label_trains():
    groups = singles(*["paper"] * 19, "wood")
    assert divide(groups, SHARES, seed=0, trials=5)["g019"] == "train"


def test_a_large_group_is_placed_whole_where_it_fits():
    groups = [Group("large", 50, frozenset({"paper"})), *singles(*["paper"] * 50)]
    result = divide(groups, SHARES, seed=0, trials=5)
    assert result["large"] == "train"
    assert Counter(result.values())["test"] == 25


@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=25),
    labels=st.lists(st.sampled_from(["", "a", "b", "a b", "c"]), min_size=25, max_size=25),
    seed=st.integers(0, 5),
)
@settings(max_examples=60)
def test_every_group_gets_one_side_and_every_side_a_group(sizes, labels, seed):
    groups = [Group(f"g{i:02}", size, frozenset(label.split())) for i, (size, label) in enumerate(zip(sizes, labels, strict=False))]
    result = divide(groups, SHARES, seed=seed, trials=2)
    assert set(result) == {group.name for group in groups}
    assert set(result.values()) == SIDES


def test_the_order_of_the_groups_does_not_matter_but_the_seed_does():
    groups = singles(*np.random.default_rng(0).choice(["a", "b", "a b", "c"], 60).tolist())
    shuffled = [groups[place] for place in np.random.default_rng(1).permutation(60)]
    expected = divide(groups, SHARES, seed=3, trials=4)
    assert divide(shuffled, SHARES, seed=3, trials=4) == expected
    assert divide(groups, SHARES, seed=4, trials=4) != expected


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_groups_are_refused(count):
    with pytest.raises(DataRefused, match=f"{count} pictures or groups of copies cannot fill train, val, test"):
        divide(singles(*["paper"] * count), SHARES, seed=0, trials=1)
