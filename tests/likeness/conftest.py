"""Pictures, what may happen to a copy of one, and small artifacts of them."""

import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from patina.core import artifact
from patina.core.pictures import decode_picture
from patina.core.raw import RawRow, RawWriter
from patina.core.tiles import Geometry, TileRecord, TileWriter
from patina.download.sample import generate_picture


def jpeg(picture, quality):
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy()


def resized(picture, factor):
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def turned(picture, degrees):
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(picture, matrix, (width, height))


def cropped(picture, side, rng):
    height, width = (round(length * side) for length in picture.shape[:2])
    y, x = rng.integers(0, picture.shape[0] - height + 1), rng.integers(0, picture.shape[1] - width + 1)
    return picture[y : y + height, x : x + width].copy()


CHANGES = {
    "copy": lambda picture, rng: picture.copy(),
    "jpeg": lambda picture, rng: jpeg(picture, int(rng.integers(30, 96))),
    "resize": lambda picture, rng: resized(picture, float(np.exp(rng.uniform(np.log(0.3), np.log(2))))),
    "mirror left-right": lambda picture, rng: picture[:, ::-1].copy(),
    "mirror top-bottom": lambda picture, rng: picture[::-1].copy(),
    "quarter turns": lambda picture, rng: np.rot90(picture, int(rng.integers(1, 4))).copy(),
    "turn to 15 degrees": lambda picture, rng: turned(picture, float(rng.uniform(-15, 15))),
    "crop to 60 % of the area": lambda picture, rng: cropped(picture, 0.6**0.5, rng),
    "crop to 60 % of each side": lambda picture, rng: cropped(picture, 0.6, rng),
    "all at once": lambda picture, rng: jpeg(resized(cropped(np.rot90(picture[:, ::-1], int(rng.integers(0, 4))), 0.8, rng), 0.7), 60),
}


def textured(seed, height=96, width=128):
    """A picture uint8 [height, width, 3] of random blots, unlike any with another seed."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.normal(0, 1, (height // s, width // s, 3)).astype(np.float32), (width, height)) for s in (4, 8, 16)]
    return np.clip(128 + 40 * sum(layers), 0, 255).astype(np.uint8)


def blank_paper(seed, side=200):
    """Paper with faint cloudiness: hardly any local feature."""
    rng = np.random.default_rng(seed)
    clouds = cv2.resize(rng.normal(0, 3, (25, 25)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(np.round(225 + clouds), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def png(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def make_raw(folder, pictures):
    """A raw artifact of `pictures`, id -> uint8 [H, W, 3]."""
    with RawWriter(folder) as writer:
        for name, picture in pictures.items():
            height, width = picture.shape[:2]
            data = png(picture)
            sha256 = hashlib.sha256(data).hexdigest()
            mask = png(np.zeros((height, width), np.uint8))
            writer.add(
                RawRow(name, data, mask, "Paper", "Line art", "Page", width, height, sha256, "0" * 16, (height * width,) + (0,) * 15)
            )
    return artifact.seal(folder, "raw", inputs={}, config={}, image="data")


def make_tiles(folder, pictures, size=48, donors=None, val=(), skip=(), config=None):
    """A tiles artifact that covers each of `pictures`; those in `val` validate, windows whose number is in `skip` are left out."""
    with TileWriter(folder, Geometry(tile_size=size, scale_rule="native")) as writer:
        for number, (name, picture) in enumerate(pictures.items()):
            split = "val" if name in val else "train"
            height, width = picture.shape[:2]
            corners = [(y, x) for y in range(0, height, size) for x in range(0, width, size)]
            for y, x in [corner for place, corner in enumerate(corners) if place not in skip]:
                part = picture[y : y + size, x : x + size]
                tile = np.zeros((size, size, 3), np.uint8)
                tile[: part.shape[0], : part.shape[1]] = part
                given = (donors or {}).get(name, ())
                record = TileRecord(
                    name, f"group-{name}", split, number % 3, "original", x, y, part.shape[1], part.shape[0], 1.0, donors=given
                )
                writer.add(tile, np.zeros((size, size), np.uint8), record)
    return artifact.seal(folder, "tiles", inputs={}, config=config or {}, image="data")


@pytest.fixture(scope="session")
def samples():
    """Generated pictures: they share motifs and textures, which makes them hard to tell apart."""
    return [decode_picture(generate_picture(index, 12, 0).image) for index in range(8)]
