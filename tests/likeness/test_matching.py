import numpy as np
import pytest

from patina.likeness import matching
from patina.likeness.features import describe, halves, mirrored
from patina.likeness.matching import alike_between, alike_within

from .conftest import CHANGES, blank_paper, jpeg, resized, textured


@pytest.fixture(scope="module")
def known(samples):
    return [describe(picture) for picture in samples]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_only_its_own_original(samples, known, change):
    rng = np.random.default_rng(3)
    chosen = range(0, 8, 2)
    planted = [describe(CHANGES[change](samples[index], rng)) for index in chosen]
    found = alike_between(known, planted)
    assert [(likeness.left, likeness.right) for likeness in found] == [(index, place) for place, index in enumerate(chosen)]


def test_pictures_that_share_motifs_and_materials_are_not_alike(known):
    assert alike_within(known) == []


@pytest.mark.parametrize("change", ["copy", "mirror left-right", "quarter turns"])
def test_whether_a_copy_is_mirrored_is_told(samples, known, change):
    (found,) = alike_between(known[:1], [describe(CHANGES[change](samples[0], np.random.default_rng(0)))])
    assert found.flipped == (change == "mirror left-right")
    assert found.correlation > 0.9
    assert found.matches > 20


def test_a_picture_is_never_compared_with_itself(known):
    found = alike_within([*known[:3], known[1]])
    assert [(likeness.left, likeness.right) for likeness in found] == [(1, 3)]


def test_within_and_between_agree_and_the_order_changes_nothing(samples, known):
    copies = [describe(jpeg(picture, 50)) for picture in samples[:4]]
    within = alike_within([*known[:4], *copies])
    between = alike_between(known[:4], copies)
    assert [(likeness.left, likeness.right - 4, likeness.correlation) for likeness in within] == [
        (likeness.left, likeness.right, likeness.correlation) for likeness in between
    ]
    backwards = alike_between(known[:4][::-1], copies)
    assert {(3 - likeness.left, likeness.right, likeness.correlation) for likeness in backwards} == {
        (likeness.left, likeness.right, likeness.correlation) for likeness in between
    }


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(known, monkeypatch, threads):
    expected = alike_within([*known, known[4]] * 2)
    monkeypatch.setattr(matching, "workers", lambda: threads)
    assert alike_within([*known, known[4]] * 2) == expected
    assert len(expected) > 8


def test_describing_twice_gives_the_same_features(samples):
    one, two = describe(samples[0]), describe(samples[0])
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.descriptors, two.descriptors)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.copy(),
        lambda page: jpeg(page, 80),
        lambda page: resized(page, 0.5),
        lambda page: page[:, ::-1].copy(),
        lambda page: np.rot90(page).copy(),
        lambda page: np.rot90(page[::-1], 3).copy(),
    ],
)
def test_copies_of_nearly_blank_paper_are_found_by_their_thumbnails(change):
    pages = [blank_paper(seed) for seed in range(6)]
    found = alike_between([describe(page) for page in pages], [describe(change(pages[2]))])
    assert [likeness.left for likeness in found] == [2]


def test_sheets_of_blank_paper_are_not_alike():
    assert alike_within([describe(blank_paper(seed)) for seed in range(30)]) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (8, 8, 3), (400, 3, 3), (300, 300, 3)])
def test_an_even_surface_of_any_size_is_like_nothing(samples, shape):
    even = describe(np.full(shape, 127, np.uint8))
    assert alike_within([even, even, describe(samples[0])]) == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_alike_where_there_is_nothing_to_compare(known, count):
    assert alike_within(known[:count]) == []
    assert alike_between(known[:count], []) == []


def test_repeated_ornament_alone_does_not_make_pictures_alike():
    stamp = textured(1, 64, 64)
    pages = [np.full((256, 256, 3), 230, np.uint8) for _ in range(2)]
    rng = np.random.default_rng(0)
    for page in pages:
        for y, x in rng.integers(0, 192, (7, 2)):
            page[y : y + 64, x : x + 64] = np.rot90(stamp, int(rng.integers(0, 4)))
    assert alike_within([describe(page) for page in pages]) == []


def test_descriptors_of_the_mirrored_picture_need_no_second_pass(samples):
    picture = samples[1][:300, :300]
    seen, expected = describe(picture[:, ::-1].copy()), mirrored(describe(picture).descriptors)
    products = expected.astype(np.float32) @ seen.descriptors.astype(np.float32).T / 512**2
    assert np.median(products.max(1)) > 0.98


def test_both_halves_give_the_products_with_a_descriptor_and_with_its_mirror_image():
    one, two = np.random.default_rng(0).integers(0, 256, (2, 5, 128)).astype(np.uint8)
    kept, turned = (a @ b.T for a, b in zip(halves(one), halves(two), strict=True))
    plain = one.astype(np.float64) @ two.astype(np.float64).T
    flipped = mirrored(one).astype(np.float64) @ two.astype(np.float64).T
    assert np.array_equal((kept + turned) / 2, plain)
    assert np.array_equal((kept - turned) / 2, flipped)


def test_no_feature_is_taken_where_nothing_is_shown(samples):
    picture = samples[0][:200, :200]
    shown = np.zeros((200, 200), bool)
    shown[:, :100] = True
    points = describe(picture, shown).points
    assert 0 < len(points) < len(describe(picture).points)
    assert points[:, 0].max() < 100
