from itertools import chain

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from patina.train.batches import Batches, changed
from patina.train.settings import OnlineConfig

STILL = OnlineConfig(flip=0, transpose=0, brightness=0, contrast=0, color=0)


def batches(train: int = 10, size: int = 4) -> Batches:
    """Tile i is filled with the grey value i, its mask with class i."""
    count = train + 3
    values = np.arange(count, dtype=np.uint8)
    images: NDArray[np.uint8] = np.ones((count, 32, 32, 3), np.uint8) * values[:, None, None, None]
    masks: NDArray[np.uint8] = np.ones((count, 32, 32), np.uint8) * values[:, None, None]
    rows = np.arange(count)
    return Batches(images, masks, rows[:train], rows[train:], (0.0, 0.0, 0.0), (1 / 255,) * 3, size, torch.device("cpu"))


def seen(source: Batches, seed: int = 0, epoch: int = 0, first: int = 0) -> list[list[int]]:
    return [truth[:, 0, 0].tolist() for _, truth in source.training(seed, epoch, first, STILL)]


@pytest.mark.parametrize(
    ("train", "size", "sizes"), [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (1, 4, [1]), (5, 5, [5]), (3, 1, [1, 1, 1]), (5, 2, [2, 3])]
)
def test_an_epoch_shows_every_training_tile_once_and_never_ends_on_a_single_one(train: int, size: int, sizes: list[int]) -> None:
    steps = seen(batches(train, size))
    assert [len(step) for step in steps] == sizes
    assert len(steps) == batches(train, size).steps
    assert sorted(chain.from_iterable(steps)) == list(range(train))


def test_seed_and_epoch_decide_the_order() -> None:
    assert seen(batches(), seed=1) == seen(batches(), seed=1)
    assert seen(batches(), seed=1) != seen(batches(), seed=2)
    assert seen(batches(), epoch=1) != seen(batches(), epoch=2)


def test_an_epoch_that_goes_on_in_its_middle_shows_the_same_rest() -> None:
    online = OnlineConfig()
    whole = list(batches().training(3, 5, 0, online))
    rest = list(batches().training(3, 5, 1, online))
    for (images, truth), (later_images, later_truth) in zip(whole[1:], rest, strict=True):
        assert torch.equal(images, later_images)
        assert torch.equal(truth, later_truth)


def test_picture_and_mask_of_a_tile_stay_together_and_are_normalised() -> None:
    for images, truth in batches().training(0, 0, 0, STILL):
        assert images.shape[1:] == (3, 32, 32)
        assert truth.dtype == torch.int64
        torch.testing.assert_close(images[:, 0], truth.float())


def test_validation_shows_its_own_tiles_unchanged_and_in_order() -> None:
    shown = chain.from_iterable(truth[:, 0, 0].tolist() for _, truth in batches().validating())
    assert list(shown) == [10, 11, 12]


def pattern() -> tuple[torch.Tensor, torch.Tensor]:
    """64 tiles whose picture equals its mask: any change of geometry must hit both alike."""
    masks = torch.from_numpy(np.random.default_rng(0).integers(0, 16, (64, 8, 8), np.uint8))
    return masks[:, None].expand(-1, 3, -1, -1).clone(), masks


def test_symmetries_move_picture_and_mask_alike() -> None:
    images, masks = changed(*pattern(), np.random.default_rng(1), OnlineConfig(brightness=0, contrast=0, color=0))
    torch.testing.assert_close(images[:, 0], masks.float())
    assert not torch.equal(masks, pattern()[1])


def test_all_eight_symmetries_of_the_square_occur() -> None:
    images, masks = pattern()
    same = masks[:1].expand(64, -1, -1)
    _, turned = changed(images, same, np.random.default_rng(1), OnlineConfig())
    assert len({tuple(mask.flatten().tolist()) for mask in turned}) == 8


def test_light_changes_the_picture_within_its_range_and_never_the_mask() -> None:
    images, masks = pattern()
    images = images * 8 + 60
    bright, same = changed(images, masks, np.random.default_rng(2), OnlineConfig(flip=0, transpose=0, brightness=0.1, contrast=0, color=0))
    shift = (bright - images).flatten(1)
    assert torch.equal(same, masks)
    assert shift.abs().max() <= 25.5
    assert (shift.max(1).values - shift.min(1).values).max() < 1e-3
    assert shift.std(0).max() > 5


def test_values_stay_in_the_range_of_a_picture() -> None:
    images, masks = pattern()
    strong, _ = changed(images * 17, masks, np.random.default_rng(3), OnlineConfig(brightness=1, contrast=0.9, color=0.9))
    assert strong.min() >= 0
    assert strong.max() <= 255


def test_nothing_changes_when_everything_is_off() -> None:
    images, masks = pattern()
    same_images, same_masks = changed(images, masks, np.random.default_rng(4), STILL)
    torch.testing.assert_close(same_images, images.float())
    assert torch.equal(same_masks, masks)
