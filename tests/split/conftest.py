"""Raw artifacts of small pictures, and the split stage run on them."""

import json

import cv2
import numpy as np
import pytest

from patina.core import artifact
from patina.core.raw import RawRow, RawWriter
from patina.core.raw_groups import write_groups
from patina.core.raw_report import Quarantined, write_report
from patina.core.session import Session
from patina.split.stage import run


def png(picture) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
def make_row():
    """A row of picture `number`: 10 px of noise with the given material and damage classes."""

    def make(number: int, material: str = "Paper", *classes: int, **changes) -> RawRow:
        values = np.random.default_rng(number)
        columns = {
            "id": f"p{number:03}",
            "image": png(values.integers(0, 256, (10, 10, 3), np.uint8)),
            "annotation": b"mask %d" % number,
            "material": material,
            "content": "Line art",
            "type": "Map",
            "width": 10,
            "height": 10,
            "sha256": values.bytes(32).hex(),
            "phash": values.bytes(8).hex(),
            "pixels": tuple(7 if index in (0, *classes) else 0 for index in range(16)),
        }
        return RawRow(**(columns | changes))

    return make


@pytest.fixture
def make_raw(tmp_path):
    """A raw artifact of rows; `shard_bytes` sets how many shards they fill, `groups` is column -> id -> value."""

    def make(rows, name="raw", groups=None, **writing):
        folder = tmp_path / name
        with RawWriter(folder, **writing) as writer:
            for row in rows:
                writer.add(row)
        write_groups(folder, groups or {})
        quarantined = [Quarantined(id="broken", reason="truncated")]
        write_report(folder, source="somewhere", licence="AFL-3.0", citation="WACV", quarantined=quarantined, conversions={})
        artifact.seal(folder, "raw", inputs={}, config={}, image="x")
        return folder

    return make


@pytest.fixture
def divided(tmp_path):
    """Runs the stage; the outputs lie in `tmp_path / name`. Pixels are compared only if `near_duplicates` says so."""

    def divide(raw, name="out", seed=0, **settings):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        places = (folder / "splits", folder / "test_images", folder / "balance.html")
        asked = json.dumps({"near_duplicates": "hash", "trials": 3} | settings)
        return run(raw, *places, seed=seed, settings=asked, progress=Session(folder, "split", None))

    return divide
