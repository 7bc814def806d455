"""Small pictures with known masks, as sealed `raw` and `splits` artifacts."""

import hashlib
import io

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from patina.core.artifact import seal
from patina.core.pictures import encode_mask
from patina.core.raw import RawRow, RawWriter
from patina.core.splits import SPLITS_SCHEMA


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def drawn(number: int, height: int = 90, width: int = 110) -> tuple[np.ndarray, np.ndarray]:
    """A picture of smooth colours whose mask has a large and a thin damage and an unlabelled border."""
    rng = np.random.default_rng(number)
    picture = np.kron(rng.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8))
    mask = np.zeros((height, width), np.uint8)
    mask[20:60, 30:80] = 1 + number // 2 % 2
    mask[70, 10:90] = 4
    mask[:, :3] = 255
    return picture, mask


@pytest.fixture(scope="session")
def make_data(tmp_path_factory):
    """make_data({id: (split, picture, mask)}, order, folds={id: fold}) -> (raw folder, splits folder)."""

    def make(pictures, order=None, broken=(), folds=None):
        folder = tmp_path_factory.mktemp("data")
        with RawWriter(folder / "raw") as writer:
            for name in order or sorted(pictures):
                _, picture, mask = pictures[name]
                image = b"not a picture" if name in broken else png(picture)
                pixels = tuple(np.bincount(mask.reshape(-1), minlength=256)[:16].tolist())
                height, width = mask.shape
                digest = hashlib.sha256(image).hexdigest()
                writer.add(RawRow(name, image, encode_mask(mask), "Paper", "Line art", "Letter", width, height, digest, "0" * 16, pixels))
        raw = seal(folder / "raw", "raw", inputs={}, config={}, image="test")
        rows = [
            {
                "id": name,
                "group": f"group-{name}",
                "split": split,
                "fold": (folds or {}).get(name, -1),
                "material": "Paper",
                "content": "Line art",
            }
            for name, (split, _, _) in sorted(pictures.items())
        ]
        (folder / "splits").mkdir()
        pq.write_table(pa.Table.from_pylist(rows, schema=SPLITS_SCHEMA), folder / "splits" / "splits.parquet")
        seal(folder / "splits", "splits", inputs={"raw": raw.digest}, config={}, image="test")
        return folder / "raw", folder / "splits"

    return make


@pytest.fixture(scope="session")
def pictures():
    """Three training, two validation, two test pictures."""
    splits = {"a": "train", "b": "test", "c": "train", "d": "val", "e": "train", "f": "test", "g": "val"}
    return {name: (split, *drawn(number)) for number, (name, split) in enumerate(splits.items())}


@pytest.fixture(scope="session")
def speckled():
    """Six pictures of three training, one validation and two test pictures, most with specks of a rare class."""
    made = {}
    for number, (name, split) in enumerate({"a": "train", "b": "train", "c": "train", "d": "val", "e": "test", "f": "test"}.items()):
        picture, mask = drawn(number, 100, 120)
        if name != "c":
            cv2.circle(mask, (20 + 9 * number, 82), 3, 13, -1)
            cv2.ellipse(mask, (96, 20 + 7 * number), (5, 3), 30, 0, 360, 5, -1)
        picture[mask == 13] = 30 * number
        made[name] = (split, picture, mask)
    return made
