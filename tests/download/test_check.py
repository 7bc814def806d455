import cv2
import numpy as np
import pytest

from patina.download.check import perceptual_hash


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(3)
    return cv2.resize(rng.integers(0, 256, (9, 12, 3), np.uint8), (480, 360), interpolation=cv2.INTER_CUBIC)


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize("size", [(240, 180), (960, 720), (333, 250)])
def test_a_scaled_copy_has_nearly_the_same_hash(picture, size):
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    assert distance(perceptual_hash(picture), perceptual_hash(scaled)) <= 4


def test_a_copy_saved_with_loss_has_nearly_the_same_hash(picture):
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 60))
    saved = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert distance(perceptual_hash(picture), perceptual_hash(saved.astype(np.uint8))) <= 4


def test_another_picture_has_another_hash(picture):
    assert distance(perceptual_hash(picture), perceptual_hash(picture[:, ::-1])) > 12
    assert len(perceptual_hash(picture)) == 16
