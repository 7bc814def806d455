import numpy as np
import pytest

from patina.core import artifact, storage
from patina.core.errors import DataRefused, UsageError
from patina.core.raw import iter_rows
from patina.core.raw_report import read_report
from patina.core.splits import read_splits

HEX = "0" * 64
MATERIALS = ["Paper"] * 40 + ["Glass"] * 12 + ["Wood"] * 8
CONTENTS = ["Line art", "Artistic depiction"]
PROTOCOLS = ["holdout", "kfold", "leave_one_material_group_out", "leave_one_content_out"]


@pytest.fixture
def rows(make_row):
    return [make_row(number, material, 1 + number % 9, content=CONTENTS[number % 2]) for number, material in enumerate(MATERIALS)]


def balance_of(folder):
    return storage.read_json(folder / "splits" / "balance.json")


def test_the_test_pictures_are_an_artifact_of_their_own_with_the_same_bytes(tmp_path, rows, make_raw, divided):
    _, test_manifest = divided(make_raw(rows))
    table = read_splits(tmp_path / "out" / "splits")
    wanted = set(table["id"][table["split"] == "test"])
    assert artifact.open_artifact(tmp_path / "out" / "test_images", "raw") == test_manifest
    assert list(iter_rows(tmp_path / "out" / "test_images")) == [item for item in rows if item.id in wanted]
    assert read_report(tmp_path / "out" / "test_images").pictures == len(wanted) == 15


def test_the_digests_of_the_inputs_are_recorded(rows, make_raw, divided):
    raw = make_raw(rows)
    manifest, test_manifest = divided(raw)
    digest = artifact.read_manifest(raw).digest
    assert manifest.inputs == {"raw": digest}
    assert test_manifest.inputs == {"raw": digest, "splits": manifest.digest}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_division_does_not_depend_on_the_order_of_the_rows_and_shards_but_on_the_seed(rows, make_row, make_raw, divided, protocol):
    rows = [*rows, make_row(80, "Glass", sha256=rows[3].sha256), make_row(81, "Paper", phash=rows[50].phash)]
    shuffled = [rows[place] for place in np.random.default_rng(2).permutation(len(rows))]
    first = divided(make_raw(rows), "a", protocol=protocol)[0]
    second = divided(make_raw(shuffled, "shuffled", shard_bytes=4000), "b", protocol=protocol)[0]
    other = divided(make_raw(rows, "again"), "c", seed=1, protocol=protocol)[0]
    assert first.digest == second.digest != other.digest


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_copies_are_never_divided(tmp_path, rows, make_row, make_raw, divided, protocol):
    copies = [make_row(100 + i, "Glass", sha256=rows[i].sha256) for i in range(8)]
    near = [make_row(200 + i, "Wood", phash=f"{int(rows[20 + i].phash, 16) ^ 0b101:016x}") for i in range(8)]
    objects = {rows[40].id: "vase", rows[1].id: "vase"}
    divided(make_raw(rows + copies + near, groups={"group_object": objects}), protocol=protocol)
    table = read_splits(tmp_path / "out" / "splits").set_index("id")
    pairs = [(rows[i].id, copies[i].id) for i in range(8)] + [(rows[20 + i].id, near[i].id) for i in range(8)] + [(rows[40].id, rows[1].id)]
    assert all(table[column][one] == table[column][other] for one, other in pairs for column in ("group", "split", "fold"))
    assert table["group"].nunique() == len(rows) - 1


def test_k_fold_tests_every_picture_once(tmp_path, rows, make_raw, divided):
    raw, tested = make_raw(rows), []
    for fold in range(3):
        divided(raw, f"fold{fold}", protocol="kfold", folds=3, test_fold=fold)
        tested += [row.id for row in iter_rows(tmp_path / f"fold{fold}" / "test_images")]
    assert sorted(tested) == [row.id for row in rows]


@pytest.mark.parametrize(("near_duplicates", "groups"), [("none", 4), ("files", 3), ("hash", 2)])
def test_what_counts_as_a_copy_can_be_chosen(tmp_path, make_row, make_raw, divided, near_duplicates, groups):
    pictures = [make_row(0, phash="f" * 16), make_row(1, sha256=HEX), make_row(2, sha256=HEX), make_row(3, phash="f" * 16)]
    pictures += [make_row(4), make_row(5)]
    divided(make_raw(pictures), near_duplicates=near_duplicates)
    assert read_splits(tmp_path / "out" / "splits")["group"].nunique() == groups + 2
    warned = [text for text in balance_of(tmp_path / "out")["warnings"] if "Copies were not looked for" in text]
    assert len(warned) == (near_duplicates == "none")


@pytest.mark.parametrize(("columns", "groups"), [(None, 4), (("group_object",), 5), ((), 6)])
def test_all_group_columns_bind_unless_some_are_named(tmp_path, make_row, make_raw, divided, columns, groups):
    known = {"group_object": {"p000": "vase", "p001": "vase"}, "group_film": {"p001": "roll", "p002": "roll"}}
    raw = make_raw([make_row(number) for number in range(6)], groups=known)
    divided(raw, group_columns=columns)
    assert read_splits(tmp_path / "out" / "splits")["group"].nunique() == groups


def test_a_group_column_that_the_data_lacks_is_refused_with_those_it_has(make_row, make_raw, divided):
    raw = make_raw([make_row(number) for number in range(3)], groups={"group_film": {"p000": "roll"}})
    with pytest.raises(UsageError, match="no column 'group_object', only group_film"):
        divided(raw, group_columns=["group_object"])


def test_the_balance_tells_why_pictures_belong_together(tmp_path, rows, make_row, make_raw, divided):
    copy, near = make_row(80, sha256=rows[3].sha256), make_row(81, phash=f"{int(rows[3].phash, 16) ^ 0b101:016x}")
    divided(make_raw([*rows, copy, near], groups={"group_object": {"p003": "vase", "p007": "vase"}}))
    reasons = [
        {"why": "group_object is vase", "pictures": ["p003", "p007"]},
        {"why": "the same file", "pictures": ["p003", "p080"]},
        {"why": "perceptual hashes differ in 2 of 64 bits", "pictures": ["p003", "p081"]},
    ]
    expected = {"group": "p003", "pictures": ["p003", "p007", "p080", "p081"], "reasons": reasons}
    assert balance_of(tmp_path / "out")["joined"] == [expected]
    html = (tmp_path / "out" / "balance.html").read_text()
    assert "p003, p007, p080, p081: group_object is vase; the same file; perceptual hashes differ" in html
    assert html.count("data:image/jpeg") == 4


def test_the_balance_copies_the_source_and_counts_each_side(tmp_path, rows, make_raw, divided):
    divided(make_raw(rows))
    balance = balance_of(tmp_path / "out")
    assert (balance["source"], balance["licence"], balance["citation"], balance["quarantined"]) == ("somewhere", "AFL-3.0", "WACV", 1)
    assert balance["labelled_share"] == pytest.approx(0.14)
    sides = balance["splits"]
    assert {name: side["pictures"] for name, side in sides.items()} == {"train": 36, "val": 9, "test": 15}
    assert sum(side["materials"]["Glass"] for side in sides.values()) == 12
    assert {name: side["contents"]["Line art"] for name, side in sides.items()} == {"train": 18, "val": 5, "test": 7}
    assert sum(side["class_pixels"]["Peel"] for side in sides.values()) == 7 * sum(number % 9 == 1 for number in range(60))
    assert (tmp_path / "out" / "balance.html").read_text() == (tmp_path / "out" / "splits" / "balance.html").read_text()


def test_absent_classes_and_few_test_pictures_are_warned_of(tmp_path, make_row, make_raw, divided):
    divided(make_raw([*(make_row(number) for number in range(7)), make_row(7, "Paper", 14)]))
    warnings = balance_of(tmp_path / "out")["warnings"]
    assert any(text.startswith("No picture shows Material loss, Peel") for text in warnings)
    assert "Burn marks is absent in val and test: it cannot help to choose the checkpoint and cannot be judged." in warnings
    assert any("Only 2 independent test pictures" in text for text in warnings)
    assert "Burn marks is absent" in (tmp_path / "out" / "balance.html").read_text()


def test_the_balance_names_each_fold_and_what_only_it_has(tmp_path, rows, make_row, make_raw, divided):
    divided(make_raw([*rows, make_row(80, "Wood", 14)]), protocol="leave_one_material_group_out", test_fold=1)
    balance = balance_of(tmp_path / "out")
    assert [(fold["name"], fold["pictures"]) for fold in balance["folds"]] == [("Paper", 40), ("Wood", 9), ("Glass", 12)]
    assert [fold["found_only_here"] for fold in balance["folds"]] == [[], ["Burn marks"], []]
    assert balance["test_fold"] == 1
    assert "1 Wood" in (tmp_path / "out" / "balance.html").read_text()


def test_materials_that_leave_with_a_content_are_warned_of(tmp_path, make_row, make_raw, divided):
    drawn = [make_row(number, "Paper", content=CONTENTS[number % 2]) for number in range(20)]
    films = [make_row(30 + number, "Film emulsion", content="Photographic depiction") for number in range(8)]
    divided(make_raw(drawn + films), protocol="leave_one_content_out", test_fold=2)
    warnings = balance_of(tmp_path / "out")["warnings"]
    assert any("Without Photographic depiction, no Film emulsion is left to train on" in text for text in warnings)


def test_a_group_of_more_than_a_tenth_of_the_pictures_is_warned_of(tmp_path, rows, make_row, make_raw, divided):
    divided(make_raw([*rows, *(make_row(100 + number, sha256=rows[0].sha256) for number in range(7))]))
    warnings = balance_of(tmp_path / "out")["warnings"]
    assert "8 of 67 pictures form one group, p000. Look whether they belong together." in warnings


def test_three_pictures_give_each_side_one(tmp_path, make_row, make_raw, divided):
    divided(make_raw([make_row(number, material) for number, material in enumerate(("Paper", "Glass", "Wood"))]))
    assert sorted(read_splits(tmp_path / "out" / "splits")["split"]) == ["test", "train", "val"]


def test_three_pictures_of_which_two_are_copies_are_refused(make_row, make_raw, divided):
    with pytest.raises(DataRefused, match="2 pictures or groups of copies"):
        divided(make_raw([make_row(0, "Paper", sha256=HEX), make_row(1, "Paper", sha256=HEX), make_row(2, "Wood")]))


def test_a_damaged_input_is_refused(rows, make_raw, divided):
    raw = make_raw(rows)
    with (raw / "part-00000.parquet").open("ab") as shard:
        shard.write(b"x")
    with pytest.raises(DataRefused, match=r"part-00000\.parquet"):
        divided(raw)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tset": 0.2}, "Did you mean: test"),
        ({"test": 0.6, "val": 0.4}, "less than 0.1"),
        ({"test": 0}, "test: "),
        ({"folds": 2}, "folds: "),
        ({"protocol": "kfold", "folds": 4, "test_fold": 4}, "test_fold 4 is not one of the 4 folds"),
        ({"material_groups": [["Paper", "Glass"], ["Paper"]]}, "material_groups name Paper twice"),
        ({"material_groups": [[]]}, "an empty group"),
    ],
)
def test_wrong_settings_are_refused(rows, make_raw, divided, settings, message):
    with pytest.raises(UsageError, match=message):
        divided(make_raw(rows), **settings)
