import numpy as np
import pytest

from patina.core.errors import DataRefused, UsageError
from patina.likeness import leaks
from patina.likeness.leaks import check_leaks
from patina.likeness.page import leak_page
from patina.likeness.sets import open_named, open_set

from .conftest import CHANGES, jpeg, make_raw, make_tiles, png, resized, textured

PICTURES = {f"p{index}": textured(index) for index in range(6)}
OTHERS = {f"q{index}": textured(100 + index) for index in range(6)}


@pytest.fixture
def place(tmp_path):
    """Makes a set of the given kind and returns its folder."""

    def make(name, kind, pictures, **options):
        folder = tmp_path / name
        if kind == "folder":
            folder.mkdir()
            for identifier, picture in pictures.items():
                (folder / f"{identifier}.png").write_bytes(png(picture))
        else:
            {"raw": make_raw, "tiles": make_tiles}[kind](folder, pictures, **options)
        return folder

    return make


def check(left, right):
    return check_leaks(open_set(left), open_set(right))


def named(shared):
    return [(pair.left, pair.right) for pair in shared.pairs]


@pytest.mark.parametrize("right", ["raw", "tiles", "folder"])
@pytest.mark.parametrize("left", ["raw", "tiles", "folder"])
def test_sets_of_different_pictures_stand_apart(place, left, right):
    report = check(place("left", left, PICTURES), place("right", right, OTHERS))
    assert not report.found
    assert report.pairs() == []
    (sentence,) = report.sentences()
    assert sentence.startswith("Nothing of the ")
    assert "every pair" in " ".join(report.compared)


@pytest.mark.parametrize("right", ["raw", "tiles", "folder"])
@pytest.mark.parametrize("left", ["raw", "tiles", "folder"])
def test_a_mirrored_copy_under_another_name_is_found_in_any_two_sets(place, left, right):
    leaky = {**OTHERS, "q9": jpeg(PICTURES["p2"][:, ::-1], 70)}
    report = check(place("left", left, PICTURES), place("right", right, leaky))
    ending = {"raw": "", "tiles": "", "folder": ".png"}
    assert report.found
    assert named(report.alike) == [(f"p2{ending[left]}", f"q9{ending[right]}")]
    assert "mirrored" in report.alike.pairs[0].what
    assert report.shared_ids.count == report.shared_files.count == 0


@pytest.mark.parametrize(("left", "right"), [("raw", "tiles"), ("tiles", "tiles"), ("raw", "raw")])
def test_a_shared_id_is_named_once_and_not_again_as_a_near_duplicate(place, left, right):
    report = check(place("left", left, PICTURES), place("right", right, {**OTHERS, "p4": jpeg(PICTURES["p4"], 60)}))
    assert named(report.shared_ids) == [("p4", "p4")]
    assert report.alike.count == 0


def test_equal_names_of_files_are_no_ids(place):
    report = check(place("left", "folder", {"1": PICTURES["p0"]}), place("right", "folder", {"1": OTHERS["q0"]}))
    assert not report.found


@pytest.mark.parametrize("kind", ["raw", "folder", "tiles"])
def test_equal_bytes_under_other_names_are_found_by_their_digest(place, kind):
    report = check(place("left", kind, PICTURES), place("right", kind, {**OTHERS, "q7": PICTURES["p1"]}))
    ending = ".png" if kind == "folder" else ""
    assert named(report.shared_files) == [(f"p1{ending}", f"q7{ending}")]
    assert report.alike.count == 0


def test_a_shared_group_is_found_without_any_shared_picture(place):
    tiles = place("left", "tiles", PICTURES)
    raw = place("right", "raw", OTHERS)
    report = check_leaks(open_set(tiles), open_set(raw, groups={"q3": "group-p5", "q1": "alone"}))
    assert named(report.shared_groups) == [("p5", "q3")]
    assert report.shared_groups.pairs[0].what == "group group-p5"


@pytest.mark.parametrize("swapped", [False, True])
def test_a_donor_of_one_side_that_is_a_picture_of_the_other_is_found(place, swapped):
    sets = [open_set(place("left", "tiles", PICTURES, donors={"p3": ("q2",)})), open_set(place("right", "raw", OTHERS))]
    report = check_leaks(*sets[:: -1 if swapped else 1])
    (pair,) = report.shared_donors.pairs
    assert {pair.left, pair.right} == {"p3", "q2"}
    assert pair.what == "p3 carries damage of q2"


def test_each_side_of_a_tile_set_is_a_set_of_its_own(place):
    folder = place("tiles", "tiles", {**PICTURES, "p9": PICTURES["p0"][::-1].copy()}, val=("p5", "p9"))
    train, val = open_named(f"{folder}:train"), open_named(f"{folder}:val")
    assert (len(train.names), val.names) == (5, ("p5", "p9"))
    assert named(check_leaks(train, val).alike) == [("p0", "p9")]


def test_the_tested_fold_is_no_part_of_tiles_for_cross_validation(place):
    folder = place("tiles", "tiles", PICTURES, val=("p1", "p4"), config={"folds": "all"})
    assert open_set(folder).names == tuple(PICTURES)
    assert not {"p0", "p3"} & set(open_set(folder, fold=0).names)


def test_a_picture_is_recognised_though_its_tiles_cover_only_parts_of_it(place):
    large = textured(7, 288, 384)
    tiles = place("left", "tiles", {**PICTURES, "p8": large}, size=96, skip=(0, 1, 3, 6, 8, 10, 11))
    report = check(tiles, place("right", "raw", {**OTHERS, "q8": resized(large[::-1], 0.7)}))
    assert named(report.alike) == [("p8", "q8")]


@pytest.mark.parametrize("change", ["copy", "jpeg", "mirror top-bottom", "quarter turns"])
def test_a_single_tile_of_a_much_larger_picture_is_found(place, samples, change):
    picture = resized(samples[2], 2)  # 1,100 pixels and more
    tile = picture[300:684, 200:584]
    tiles = place("left", "tiles", {"cut": tile}, size=384)
    planted = CHANGES[change](picture, np.random.default_rng(0))
    report = check(tiles, place("right", "raw", {"other": resized(samples[3], 2), "whole": planted}))
    assert named(report.alike) == [("cut", "whole")]
    assert "windows" in " ".join(report.compared)


def test_a_long_list_is_cut_and_counted(place, monkeypatch):
    monkeypatch.setattr(leaks, "MOST_NAMED", 2)
    report = check(place("left", "raw", PICTURES), place("right", "raw", PICTURES))
    assert (report.shared_ids.count, len(report.shared_ids.pairs)) == (6, 2)
    assert "6 × the same picture, by its id" in " ".join(report.sentences())
    assert "the first 2 listed" in leak_page(report)


def test_the_page_escapes_names_and_tells_what_was_compared(place):
    evil = place("left", "folder", {"<b>x</b>".replace("/", "_"): PICTURES["p0"]})
    text = leak_page(check(evil, place("right", "raw", {"q0": PICTURES["p0"]})))
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text
    assert "Compared by their pixels" in text
    assert "<script" not in text


def test_what_is_no_set_is_refused(place, tmp_path):
    with pytest.raises(DataRefused, match="is no folder"):
        open_set(tmp_path / "missing")
    with pytest.raises(DataRefused, match="no artifact and no picture"):
        open_set(tmp_path)
    with pytest.raises(UsageError, match="no tiles artifact"):
        open_set(place("raw", "raw", PICTURES), split="train")
    with pytest.raises(UsageError, match="Sides: train, val"):
        open_named(f"{place('tiles', 'tiles', PICTURES)}:test")


def test_a_file_that_is_no_picture_is_named(place):
    folder = place("left", "folder", PICTURES)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(DataRefused, match=r"broken\.png: "):
        check(folder, folder)


def test_a_damaged_artifact_is_refused(place):
    folder = place("tiles", "tiles", PICTURES)
    (folder / "geometry.json").write_text("{}")
    with pytest.raises(DataRefused, match=r"geometry\.json"):
        open_set(folder)
