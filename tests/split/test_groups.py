import numpy as np
import pytest

from patina.split.groups import Relation, equal_files, equal_values, join, near_hashes


def hash_groups(values, bits=4):
    ids = [f"p{i}" for i in range(len(values))]
    return list(join(ids, near_hashes(ids, [f"{value:016x}" for value in values], bits)).group_of.values())


def test_pictures_that_differ_stay_apart():
    assert hash_groups([0, 0xFF, 0xFF00]) == ["p0", "p1", "p2"]


def test_equal_files_belong_together():
    assert equal_files(["a", "b", "c", "d"], ["x", "y", "x", "x"]) == [Relation("the same file", ("a", "c", "d"))]


def test_equal_values_of_a_column_belong_together_but_empty_ones_say_nothing():
    found = equal_values("group_object", {"a": "7", "b": "", "c": "7", "d": "", "e": "8"})
    assert found == [Relation("group_object is 7", ("a", "c"))]


@pytest.mark.parametrize(("value", "together"), [(0b1111, True), (0b11111, False), (1 << 63 | 7, True)])
def test_near_copies_belong_together_up_to_the_limit(value, together):
    assert hash_groups([0, value]) == (["p0", "p0"] if together else ["p0", "p1"])


def test_with_no_bits_only_equal_hashes_belong_together():
    assert hash_groups([0, 1, 0], bits=0) == ["p0", "p1", "p0"]


def test_belonging_together_is_passed_on_over_relations_of_any_kind():
    grouping = join("abcdef", [Relation("one", ("c", "d")), Relation("two", ("d", "a", "e")), Relation("three", ("b", "f"))])
    assert grouping.group_of == {"a": "a", "b": "b", "c": "a", "d": "a", "e": "a", "f": "b"}


def test_each_group_keeps_the_reasons_that_joined_it_and_no_others():
    first, second, other = Relation("one", ("a", "b")), Relation("two", ("b", "c")), Relation("four", ("d", "e"))
    grouping = join("abcdef", [first, second, Relation("three", ("a", "c")), other])
    assert grouping.reasons == {"a": [first, second], "d": [other]}


def test_groups_do_not_depend_on_the_order_of_pictures_and_relations():
    rng = np.random.default_rng(1)
    ids = [f"p{i:02}" for i in range(60)]
    relations = [Relation("near", tuple(rng.choice(ids, 2, replace=False).tolist())) for _ in range(35)]
    expected = join(ids, relations).group_of
    assert join(rng.permutation(ids).tolist(), [relations[i] for i in rng.permutation(35)]).group_of == expected
    assert 1 < len(set(expected.values())) < 60
