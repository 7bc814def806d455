from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patina.split.stratify import Group, divide

TRAIN, VAL, TEST = range(3)


def singles(*labels: str) -> list[Group]:
    return [Group(f"g{i:03}", 1, frozenset(label.split())) for i, label in enumerate(labels)]


def holdout(groups, seed=0, trials=5):
    pictures = sum(group.pictures for group in groups)
    val, test = round(0.15 * pictures), round(0.25 * pictures)
    return divide(groups, (pictures - val - test, val, test), order=(TRAIN, TEST, VAL), seed=seed, trials=trials)


def equal(pictures: int, sides: int) -> list[int]:
    return [pictures // sides + (side < pictures % sides) for side in range(sides)]


def sides_of(groups, label, result):
    return Counter(result[group.name] for group in groups if label in group.labels)


def test_the_sides_have_the_sizes_that_were_asked_for():
    assert Counter(holdout(singles(*["paper"] * 96)).values()) == {TRAIN: 58, VAL: 14, TEST: 24}


@pytest.mark.parametrize(("quotas", "glass"), [((60, 15, 25), (24, 6, 10)), ((20, 20, 20, 20, 20), (8, 8, 8, 8, 8)), ((50, 50), (20, 20))])
def test_each_label_is_spread_as_the_pictures_are(quotas, glass):
    groups = singles(*["paper"] * 60, *["glass"] * 40)
    result = divide(groups, quotas, order=range(len(quotas)), seed=1, trials=5)
    assert sides_of(groups, "glass", result) == dict(enumerate(glass))


@pytest.mark.parametrize("sides", [3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_what_as_many_groups_carry_as_there_are_sides_is_on_every_side(seed, sides):
    labels = ["paper"] * 50
    for place, rare in enumerate(["hair", "dust", "burn"] * sides):
        labels[3 * place] += f" {rare}"
    groups = singles(*labels)
    result = holdout(groups, seed, trials=20) if sides == 3 else divide(groups, [10] * 5, order=range(5), seed=seed, trials=20)
    for rare in ("hair", "dust", "burn"):
        assert set(sides_of(groups, rare, result)) == set(range(sides))


def test_the_only_group_with_a_label_goes_to_the_first_side_of_the_order():
    groups = singles(*["paper"] * 19, "wood")
    assert holdout(groups)["g019"] == TRAIN
    assert divide(groups, [5, 5, 5, 5], order=(2, 0, 1, 3), seed=0, trials=5)["g019"] == 2


def test_a_large_group_is_placed_whole_where_it_fits():
    groups = [Group("large", 50, frozenset({"paper"})), *singles(*["paper"] * 50)]
    result = holdout(groups)
    assert result["large"] == TRAIN
    assert Counter(result.values())[TEST] == 25


GROUPS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "a", "b", "a b", "c"])), min_size=6, max_size=25).map(
    lambda drawn: [Group(f"g{i:02}", size, frozenset(label.split())) for i, (size, label) in enumerate(drawn)]
)


@given(groups=GROUPS, sides=st.integers(2, 6), seed=st.integers(0, 5))
@settings(max_examples=60)
def test_every_group_gets_one_side_and_every_side_a_group(groups, sides, seed):
    result = divide(groups, equal(sum(group.pictures for group in groups), sides), order=range(sides), seed=seed, trials=2)
    assert set(result) == {group.name for group in groups}
    assert set(result.values()) == set(range(sides))


@given(groups=GROUPS, sides=st.integers(2, 6), seed=st.integers(0, 5))
@settings(max_examples=60)
def test_sizes_are_within_one_group_of_their_quotas(groups, sides, seed):
    quotas = equal(sum(group.pictures for group in groups), sides)
    result = divide(groups, quotas, order=range(sides), seed=seed, trials=2)
    sizes = [sum(group.pictures for group in groups if result[group.name] == side) for side in range(sides)]
    assert max(abs(size - quota) for size, quota in zip(sizes, quotas, strict=True)) <= max(group.pictures for group in groups)


@pytest.mark.parametrize("sides", [3, 5])
def test_the_order_of_the_groups_does_not_matter_but_the_seed_does(sides):
    groups = singles(*np.random.default_rng(0).choice(["a", "b", "a b", "c"], 60).tolist())
    shuffled = [groups[place] for place in np.random.default_rng(1).permutation(60)]

    def result(of, seed):
        return divide(of, equal(60, sides), order=range(sides), seed=seed, trials=4)

    assert result(shuffled, 3) == result(groups, 3) != result(groups, 4)


@pytest.mark.parametrize("quotas", [(1, 1, 1), (2, 1), (2, 0)])
def test_quotas_that_the_groups_cannot_fill_are_refused(quotas):
    with pytest.raises(ValueError, match="expected quotas of 1 or more that add up to 2"):
        divide(singles("paper", "paper"), quotas, order=range(len(quotas)), seed=0, trials=1)
