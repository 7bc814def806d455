"""Pictures painted in the taxonomy's colours, and a network that reads the class from the colour: a model that is always right."""

import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from patina.core import artifact
from patina.core.model_card import ModelCard
from patina.core.pictures import count_values, encode_mask
from patina.core.raw import RawRow, RawWriter
from patina.core.taxonomy import CLASS_NAMES, NUM_CLASSES, palette
from patina.core.tiles import Geometry

TILE = 32


class ColorReader(nn.Module):
    """Logits fall with the distance between a pixel's colour and each class's."""

    def __init__(self):
        super().__init__()
        self.register_buffer("colors", torch.from_numpy(palette()[:NUM_CLASSES]).float() / 255)

    def forward(self, pixels):
        rgb = pixels * 0.5 + 0.5
        return -50 * (rgb[:, None] - self.colors[None, :, :, None, None]).square().sum(2)


def paint(mask):
    """The picture (uint8 [H, W, 3]) that shows `mask` in its class colours."""
    return palette()[mask]


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def blocks(height, width, classes=(0, 1, 2, 10), side=16):
    """A mask of squares, side by side in the given classes."""
    rows, columns = np.indices((height, width)) // side
    return np.asarray(classes, np.uint8)[(rows + columns) % len(classes)]


def raw_row(name, mask, picture=None, material="Paper"):
    image = png(paint(mask) if picture is None else picture)
    pixels = tuple(int(count) for count in count_values(mask)[:NUM_CLASSES])
    sha256 = hashlib.sha256(image).hexdigest()
    return RawRow(name, image, encode_mask(mask), material, "Line art", "Drawing", mask.shape[1], mask.shape[0], sha256, "0" * 16, pixels)


@pytest.fixture
def network():
    return ColorReader()


@pytest.fixture
def card():
    return make_card()


def make_card(scale_rule="native", max_side=None, view="full", classes=CLASS_NAMES):
    return ModelCard(
        architecture="unet-mit_b0",
        decoder="unet",
        decoder_channels=(32, 16, 16, 16, 16),
        encoder="mit_b0",
        view=view,
        classes=classes,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        tile_size=TILE,
        geometry=Geometry(tile_size=TILE, scale_rule=scale_rule, max_side=max_side),
        recipe="quick",
        config={},
        epochs=1,
        seed=0,
        parameters=1,
    )


@pytest.fixture
def test_images(tmp_path):
    """Writes a raw artifact of the given rows."""

    def write(*rows):
        folder = tmp_path / "test_images"
        with RawWriter(folder) as writer:
            for row in rows:
                writer.add(row)
        artifact.seal(folder, "raw", inputs={}, config={}, image="test")
        return folder

    return write
