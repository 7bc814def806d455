import json
from pathlib import Path

import numpy as np
import pytest

from patina.core import artifact, storage
from patina.core.errors import DataRefused, UsageError
from patina.core.raw import RawRow, RawWriter, iter_rows
from patina.core.raw_report import Quarantined, read_report, write_report
from patina.core.session import Session
from patina.core.splits import read_splits
from patina.split.stage import run

HEX = "0" * 64


def row(number: int, material: str, *classes: int, **changes) -> RawRow:
    values = np.random.default_rng(number)
    columns = {
        "id": f"p{number:03}",
        "image": b"image %d" % number,
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


def raw_artifact(folder: Path, rows: list[RawRow]) -> Path:
    with RawWriter(folder) as writer:
        for item in rows:
            writer.add(item)
    quarantined = [Quarantined(id="broken", reason="truncated")]
    write_report(folder, source="somewhere", licence="AFL-3.0", citation="WACV", quarantined=quarantined, conversions={})
    artifact.seal(folder, "raw", inputs={}, config={}, image="x")
    return folder


def divided(folder: Path, raw: Path, seed: int = 0, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    places = (folder / "splits", folder / "test_images", folder / "balance.html")
    return run(raw, *places, seed=seed, settings=json.dumps(settings), progress=Session(folder, "split", None))


MATERIALS = ["Paper"] * 40 + ["Glass"] * 12 + ["Wood"] * 8


@pytest.fixture
def rows():
    return [row(number, material, 1 + number % 9) for number, material in enumerate(MATERIALS)]


def test_the_test_pictures_are_an_artifact_of_their_own_with_the_same_bytes(tmp_path, rows):
    _, test_manifest = divided(tmp_path, raw_artifact(tmp_path / "raw", rows))
    table = read_splits(tmp_path / "splits")
    wanted = set(table["id"][table["split"] == "test"])
    assert artifact.open_artifact(tmp_path / "test_images", "raw") == test_manifest
    assert list(iter_rows(tmp_path / "test_images")) == [item for item in rows if item.id in wanted]
    assert read_report(tmp_path / "test_images").pictures == len(wanted) == 15


def test_the_digests_of_the_inputs_are_recorded(tmp_path, rows):
    raw = raw_artifact(tmp_path / "raw", rows)
    manifest, test_manifest = divided(tmp_path, raw)
    digest = artifact.read_manifest(raw).digest
    assert manifest.inputs == {"raw": digest}
    assert test_manifest.inputs == {"raw": digest, "splits": manifest.digest}


def test_the_division_does_not_depend_on_the_order_of_the_rows_but_on_the_seed(tmp_path, rows):
    shuffled = [rows[place] for place in np.random.default_rng(2).permutation(len(rows))]
    first = divided(tmp_path / "a", raw_artifact(tmp_path / "raw", rows))[0]
    second = divided(tmp_path / "b", raw_artifact(tmp_path / "shuffled", shuffled))[0]
    other = divided(tmp_path / "c", tmp_path / "raw", seed=1)[0]
    assert first.digest == second.digest != other.digest


def test_copies_are_never_divided(tmp_path, rows):
    copies = [row(100 + i, "Glass", sha256=rows[i].sha256) for i in range(8)]
    near = [row(200 + i, "Wood", phash=f"{int(rows[20 + i].phash, 16) ^ 0b101:016x}") for i in range(8)]
    divided(tmp_path, raw_artifact(tmp_path / "raw", rows + copies + near))
    table = read_splits(tmp_path / "splits").set_index("id")
    pairs = [(rows[i].id, copies[i].id) for i in range(8)] + [(rows[20 + i].id, near[i].id) for i in range(8)]
    assert all(table["split"][one] == table["split"][other] for one, other in pairs)
    assert table["group"].nunique() == len(rows)


def test_the_balance_copies_the_source_and_counts_each_side(tmp_path, rows):
    divided(tmp_path, raw_artifact(tmp_path / "raw", rows))
    balance = storage.read_json(tmp_path / "splits" / "balance.json")
    assert (balance["source"], balance["licence"], balance["citation"], balance["quarantined"]) == ("somewhere", "AFL-3.0", "WACV", 1)
    assert balance["labelled_share"] == pytest.approx(0.14)
    sides = balance["splits"]
    assert {name: side["pictures"] for name, side in sides.items()} == {"train": 36, "val": 9, "test": 15}
    assert sum(side["materials"]["Glass"] for side in sides.values()) == 12
    assert sum(side["class_pixels"]["Peel"] for side in sides.values()) == 7 * sum(number % 9 == 1 for number in range(60))
    assert (tmp_path / "balance.html").read_text() == (tmp_path / "splits" / "balance.html").read_text()


def test_absent_classes_and_few_test_pictures_are_warned_of(tmp_path):
    divided(tmp_path, raw_artifact(tmp_path / "raw", [row(i, "Paper") for i in range(7)] + [row(7, "Paper", 14)]))
    warnings = storage.read_json(tmp_path / "splits" / "balance.json")["warnings"]
    assert any(text.startswith("No picture shows Material loss, Peel") for text in warnings)
    assert any("Burn marks is absent in val and test" in text for text in warnings)
    assert any("Only 2 independent test pictures" in text for text in warnings)
    assert "Burn marks is absent" in (tmp_path / "balance.html").read_text()


def test_three_pictures_give_each_side_one(tmp_path):
    divided(tmp_path, raw_artifact(tmp_path / "raw", [row(i, material) for i, material in enumerate(("Paper", "Glass", "Wood"))]))
    assert sorted(read_splits(tmp_path / "splits")["split"]) == ["test", "train", "val"]


def test_three_pictures_of_which_two_are_copies_are_refused(tmp_path):
    pictures = [row(0, "Paper", sha256=HEX), row(1, "Paper", sha256=HEX), row(2, "Wood")]
    with pytest.raises(DataRefused, match="2 pictures or groups of copies"):
        divided(tmp_path, raw_artifact(tmp_path / "raw", pictures))


def test_a_damaged_input_is_refused(tmp_path, rows):
    raw = raw_artifact(tmp_path / "raw", rows)
    with (raw / "part-00000.parquet").open("ab") as shard:
        shard.write(b"x")
    with pytest.raises(DataRefused, match=r"part-00000\.parquet"):
        divided(tmp_path, raw)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"tset": 0.2}, "Did you mean: test"), ({"test": 0.6, "val": 0.4}, "less than 0.1"), ({"test": 0}, "test: ")],
)
def test_wrong_settings_are_refused(tmp_path, rows, settings, message):
    with pytest.raises(UsageError, match=message):
        divided(tmp_path, raw_artifact(tmp_path / "raw", rows), **settings)
