"""The procedural sample: deterministic pictures whose table and damage follow ARTeFACT."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from patina.core.errors import UsageError
from patina.core.taxonomy import CONTENTS, IGNORE, MATERIALS, NUM_CLASSES, palette
from patina.download.sample import SamplePicture, generate_picture, generate_sample, picture_id
from patina.download.sample_plan import LARGE_SIDE, MOST_KINDS, OCCURRENCES, plan_sample

SEED = 11


def _open(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def pictures() -> list[SamplePicture]:
    return [generate_picture(index, 96, SEED) for index in range(12)]


def test_image_and_masks_have_the_size_that_the_row_names(pictures: list[SamplePicture]) -> None:
    for picture in pictures:
        size = (picture.height, picture.width)
        assert _open(picture.image).shape[:2] == size
        assert _open(picture.annotation).shape == size
        assert _open(picture.annotation_rgb).shape == (*size, 3)


def test_masks_hold_known_ids_in_the_colours_of_the_taxonomy(pictures: list[SamplePicture]) -> None:
    for picture in pictures:
        mask = _open(picture.annotation)
        assert set(np.unique(mask)) <= {*range(NUM_CLASSES), IGNORE}
        np.testing.assert_array_equal(_open(picture.annotation_rgb), palette()[mask])


def test_rows_speak_the_taxonomy(pictures: list[SamplePicture]) -> None:
    assert {picture.material for picture in pictures} <= set(MATERIALS)
    assert {picture.content for picture in pictures} <= set(CONTENTS)


def test_ids_are_stable_unique_and_25_characters() -> None:
    ids = {picture_id(index, seed) for seed in (0, 1) for index in range(50)}
    assert len(ids) == 100
    assert {len(name) for name in ids} == {25}
    assert picture_id(3, 0) == picture_id(3, 0)


def test_a_picture_does_not_depend_on_those_made_before() -> None:
    alone = generate_picture(2, 6, SEED)
    generate_picture(0, 6, SEED)
    assert generate_picture(2, 6, SEED) == alone


def test_processes_make_the_same_sample_in_the_same_order() -> None:
    assert list(generate_sample(4, SEED, workers=2)) == list(generate_sample(4, SEED, workers=1))


def test_seeds_make_different_pictures() -> None:
    assert generate_picture(0, 6, 1).image != generate_picture(0, 6, 2).image


@pytest.mark.parametrize(("index", "count", "seed"), [(-1, 4, 0), (4, 4, 0), (0, 4, -1)])
def test_refuses_what_is_out_of_range(index: int, count: int, seed: int) -> None:
    with pytest.raises(UsageError, match="expected 0 <= index < count"):
        generate_picture(index, count, seed)


def test_an_empty_sample_is_empty() -> None:
    assert list(generate_sample(0, SEED, workers=2)) == []


@pytest.mark.parametrize("seed", range(4))
def test_plan_keeps_the_table_of_materials(seed: int) -> None:
    materials = Counter(plan.material for plan in plan_sample(417, seed))
    expected = dict(zip(MATERIALS, (186, 42, 39, 30, 26, 23, 23, 22, 16, 10), strict=True))
    assert set(materials) == set(expected)
    for material, number in expected.items():
        assert abs(materials[material] - number) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_plan_keeps_the_order_of_damage_by_area(seed: int) -> None:
    area = Counter[int]()
    for plan in plan_sample(96, seed):
        area.update(plan.damage)
    assert [kind for kind, _ in area.most_common()] == list(OCCURRENCES)


@pytest.mark.parametrize("seed", range(6))
def test_every_kind_is_on_several_of_96_pictures(seed: int) -> None:
    carriers = Counter(kind for plan in plan_sample(96, seed) for kind in plan.damage)
    assert min(carriers[kind] for kind in OCCURRENCES) >= 4


def test_plan_has_one_large_picture_some_undamaged_and_few_kinds_on_each() -> None:
    plans = plan_sample(96, SEED)
    longest = [max(plan.height, plan.width) for plan in plans]
    assert longest.count(LARGE_SIDE) == 1
    assert min(min(plan.height, plan.width) for plan in plans) >= 400
    assert sum(not plan.damage for plan in plans) == 8
    assert max(len(plan.damage) for plan in plans) <= MOST_KINDS
