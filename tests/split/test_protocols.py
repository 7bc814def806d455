from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patina.core.errors import DataRefused, UsageError
from patina.split.protocols import Division, divide_pictures
from patina.split.settings import SplitSettings
from patina.split.stratify import Group

MATERIALS = ["Paper", "Parchment", "Glass", "Wood", "Lime plaster", "Copper"]
CONTENTS = ["Line art", "Geometric patterns", "Photographic depiction"]


@dataclass(frozen=True)
class Copies:
    """A group: the (material, content) of each of its pictures, and the classes that they show."""

    name: str
    pictures: tuple[tuple[str, str], ...]
    classes: tuple[str, ...] = ()


def divide(copies: list[Copies], seed: int = 0, **asked) -> Division:
    groups, materials, contents = [], {}, {}
    for one in copies:
        materials[one.name] = Counter(material for material, _ in one.pictures)
        contents[one.name] = Counter(content for _, content in one.pictures)
        groups.append(Group(one.name, len(one.pictures), frozenset({*one.classes, *materials[one.name], *contents[one.name]})))
    return divide_pictures(groups, materials, contents, SplitSettings(trials=2, **asked), seed)


def singles(**counts: int) -> list[Copies]:
    materials = [name.replace("_", " ") for name, count in counts.items() for _ in range(count)]
    return [Copies(f"g{i:03}", ((material, "Line art"),)) for i, material in enumerate(materials)]


def names(division: Division, side: str) -> set[str]:
    return {name for name, where in division.side.items() if where == side}


COPIES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(MATERIALS), st.sampled_from(CONTENTS)), min_size=1, max_size=4),
        st.sets(st.sampled_from(["hair", "dust", "fold"])),
    ),
    min_size=7,
    max_size=20,
).map(lambda drawn: [Copies(f"g{i:02}", tuple(pictures), tuple(sorted(classes))) for i, (pictures, classes) in enumerate(drawn)])


@given(copies=COPIES, folds=st.integers(3, 6))
@settings(max_examples=25)
def test_each_picture_is_tested_once_and_validates_once_over_the_folds(copies, folds):
    views = [divide(copies, protocol="kfold", folds=folds, test_fold=fold) for fold in range(folds)]
    for side in ("test", "val"):
        assert Counter(name for view in views for name in names(view, side)) == {one.name: 1 for one in copies}
    assert all(view.fold == views[0].fold for view in views)


@given(copies=COPIES, test_fold=st.integers(0, 3))
@settings(max_examples=25)
def test_in_k_fold_the_test_side_is_the_chosen_fold_and_the_next_validates(copies, test_fold):
    division = divide(copies, protocol="kfold", folds=4, test_fold=test_fold)
    sides = {test_fold: "test", (test_fold + 1) % 4: "val"}
    assert division.side == {name: sides.get(fold, "train") for name, fold in division.fold.items()}
    assert set(division.side.values()) == {"train", "val", "test"}


@pytest.mark.parametrize(("pictures", "sizes"), [(25, [5, 5, 5, 5, 5]), (23, [5, 5, 5, 4, 4])])
def test_folds_have_equal_sizes(pictures, sizes):
    assert sorted(Counter(divide(singles(Paper=pictures), protocol="kfold").fold.values()).values(), reverse=True) == sizes


@pytest.mark.parametrize("protocol", ["holdout", "kfold", "leave_one_material_group_out", "leave_one_content_out"])
@given(copies=COPIES, seed=st.integers(0, 3), order=st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_division_does_not_depend_on_the_order_of_the_pictures(protocol, copies, seed, order):
    copies = [*copies, *(Copies(f"z{i}", ((MATERIALS[i], CONTENTS[i % 3]),)) for i in range(6))]
    expected = divide(copies, seed, protocol=protocol)
    order.shuffle(copies)
    assert divide(copies, seed, protocol=protocol) == expected


def test_the_folds_of_materials_are_the_related_ones_in_the_order_of_the_settings_then_the_others():
    copies = singles(Zinc=2, Glass=3, Paper=4, Lime_plaster=3, Parchment=2, Wood=3, Copper=2)
    division = divide(copies, protocol="leave_one_material_group_out")
    assert division.folds == ("Parchment + Paper", "Wood", "Glass", "Lime plaster", "Copper", "Zinc")
    materials = {one.name: one.pictures[0][0] for one in copies}
    assert all(materials[name] in division.folds[fold] for name, fold in division.fold.items())


def test_the_materials_that_are_left_out_together_can_be_chosen():
    division = divide(singles(Paper=4, Glass=3, Wood=3), protocol="leave_one_material_group_out", material_groups=(("Glass", "Wood"),))
    assert division.folds == ("Glass + Wood", "Paper")


@pytest.mark.parametrize("test_fold", [0, 1, 2])
def test_leaving_a_content_out_tests_all_of_it_and_validates_on_a_share_of_the_rest(test_fold):
    copies = [Copies(f"g{i:02}", (("Paper", CONTENTS[i % 3]),)) for i in range(60)]
    division = divide(copies, protocol="leave_one_content_out", test_fold=test_fold, val=0.2)
    assert division.folds == tuple(sorted(CONTENTS))
    assert names(division, "test") == {one.name for one in copies if one.pictures[0][1] == division.folds[test_fold]}
    assert (len(names(division, "val")), len(names(division, "train"))) == (8, 32)


def test_copies_of_several_materials_go_where_most_of_them_are_and_a_warning_names_them():
    spanning = Copies("spanning", (("Glass", "Line art"), ("Wood", "Line art"), ("Wood", "Line art")))
    division = divide([*singles(Paper=4, Glass=3, Wood=3), spanning], protocol="leave_one_material_group_out")
    assert division.folds[division.fold["spanning"]] == "Wood"
    assert division.warnings == ("Group spanning has materials of several folds, Wood and Glass: all 3 pictures count as Wood.",)


def test_related_materials_in_one_group_need_no_warning():
    together = Copies("together", (("Paper", "Line art"), ("Parchment", "Line art")))
    assert divide([*singles(Paper=4, Glass=3), together], protocol="leave_one_material_group_out").warnings == ()


def test_of_equal_shares_the_first_fold_gets_the_group():
    spanning = Copies("spanning", (("Wood", "Line art"), ("Paper", "Line art")))
    division = divide([*singles(Paper=4, Wood=3), spanning], protocol="leave_one_material_group_out")
    assert division.fold["spanning"] == 0


def test_a_fold_that_loses_all_its_pictures_to_another_is_left_out():
    spanning = Copies("spanning", (("Wood", "Line art"), ("Paper", "Line art"), ("Paper", "Line art")))
    division = divide([*singles(Paper=4, Glass=3), spanning], protocol="leave_one_material_group_out")
    assert division.folds == ("Paper", "Glass")


@pytest.mark.parametrize(
    ("copies", "asked", "message"),
    [
        (singles(Paper=2), {}, "2 pictures or groups of copies cannot fill train, val, test. At least three"),
        (singles(Paper=4), {"protocol": "kfold"}, "4 pictures or groups of copies cannot fill 5 folds. Set folds to 4."),
        (singles(Paper=2), {"protocol": "kfold"}, "cannot fill 5 folds. Add pictures."),
        (singles(Paper=9), {"protocol": "leave_one_material_group_out"}, "all pictures have materials of one fold, Paper"),
        (singles(Paper=9), {"protocol": "leave_one_content_out"}, "all pictures have contents of one fold, Line art"),
        (singles(Paper=9, Wood=1), {"protocol": "leave_one_material_group_out"}, "1 pictures or groups of copies remain without Paper"),
        (singles(Paper=1, Wood=1), {"protocol": "leave_one_material_group_out"}, "2 pictures or groups of copies cannot fill train"),
    ],
)
def test_data_that_is_too_small_for_the_protocol_is_refused_with_what_to_do(copies, asked, message):
    with pytest.raises(DataRefused) as refused:
        divide(copies, **asked)
    assert message in str(refused.value)


def test_a_fold_that_the_data_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(UsageError, match="test_fold 2 does not exist: this data has the folds 0 Paper, 1 Wood"):
        divide(singles(Paper=4, Wood=4), protocol="leave_one_material_group_out", test_fold=2)


@pytest.mark.parametrize("protocol", ["holdout", "kfold"])
def test_another_seed_divides_otherwise(protocol):
    copies = [Copies(f"g{i:02}", ((MATERIALS[i % 6], CONTENTS[i % 3]),)) for i in np.random.default_rng(0).permutation(40)]
    assert divide(copies, 0, protocol=protocol).side != divide(copies, 1, protocol=protocol).side
