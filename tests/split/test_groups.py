import numpy as np
import pytest

from patina.split.groups import group_pictures


def groups(phash, sha256=None, bits=4):
    ids = [f"p{i}" for i in range(len(phash))]
    return group_pictures(ids, sha256 or ids, [f"{value:016x}" for value in phash], bits)


def test_pictures_that_differ_stay_apart():
    assert groups([0, 0xFF, 0xFF00]) == ["p0", "p1", "p2"]


def test_equal_files_belong_together_whatever_their_hash():
    assert groups([0, 0xFFFF, 0xFF0000], sha256=["x", "y", "x"]) == ["p0", "p1", "p0"]


@pytest.mark.parametrize(("value", "together"), [(0b1111, True), (0b11111, False), (1 << 63 | 7, True)])
def test_near_copies_belong_together_up_to_the_limit(value, together):
    assert groups([0, value]) == (["p0", "p0"] if together else ["p0", "p1"])


def test_belonging_together_is_passed_on():
    assert groups([0xFF, 0xF, 0x0], bits=4) == ["p0", "p0", "p0"]


def test_with_no_bits_only_equal_hashes_belong_together():
    assert groups([0, 1, 0], bits=0) == ["p0", "p1", "p0"]


def test_groups_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(1)
    rows = [(f"p{i:02}", f"s{i % 50}", f"{rng.integers(2**12):016x}") for i in range(60)]
    expected = dict(zip([row[0] for row in rows], group_pictures(*map(list, zip(*rows, strict=True)), 2), strict=True))
    rng.shuffle(rows)
    found = dict(zip([row[0] for row in rows], group_pictures(*map(list, zip(*rows, strict=True)), 2), strict=True))
    assert found == expected
    assert 1 < len(set(expected.values())) < 60
