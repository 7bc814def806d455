import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from patina.core.errors import DataRefused
from patina.core.splits import SPLITS_FILE, read_splits, write_splits


def table(**changes) -> pd.DataFrame:
    columns = {
        "id": ["a", "b", "c", "d"],
        "group": ["a", "a", "c", "d"],
        "split": ["train", "train", "val", "test"],
        "fold": [-1] * 4,
        "material": ["Paper"] * 4,
        "content": ["Line art"] * 4,
    }
    return pd.DataFrame(columns | changes)


def test_a_table_comes_back_as_it_was_written(tmp_path):
    write_splits(tmp_path / SPLITS_FILE, table())
    pd.testing.assert_frame_equal(read_splits(tmp_path), table())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": ["train", "test", "val", "test"]}, "group 'a' crosses a boundary: a is in train .* b in test"),
        ({"fold": [0, 1, 0, 0]}, "group 'a' crosses a boundary"),
        ({"id": ["a", "b", "a", "d"]}, "id 'a' stands in two lines"),
        ({"split": ["train", "train", "dev", "test"]}, "unknown split 'dev'"),
        ({"fold": [0, 0, 1, 0]}, "the test side must be one whole fold, but holds pictures of \\[0\\]"),
        ({"fold": [0, 0, 3, 1]}, "folds \\[0, 1, 3\\], expected -1 for all pictures or 0..k-1 without a gap"),
        ({"fold": [0, 0, -1, 1]}, "expected -1 for all pictures"),
    ],
)
def test_a_table_that_breaks_its_promises_is_refused(tmp_path, changes, message):
    write_splits(tmp_path / SPLITS_FILE, table(**changes))
    with pytest.raises(DataRefused, match=message):
        read_splits(tmp_path)


@pytest.mark.parametrize("folds", [[0, 0, 1, 2], [1, 1, 1, 0]])
def test_a_table_whose_test_side_is_one_fold_comes_back_as_it_was_written(tmp_path, folds):
    write_splits(tmp_path / SPLITS_FILE, table(fold=folds))
    pd.testing.assert_frame_equal(read_splits(tmp_path), table(fold=folds))


def test_other_columns_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(DataRefused, match="not a readable Parquet file"):
        read_splits(tmp_path)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / SPLITS_FILE)
    with pytest.raises(DataRefused, match=r"has columns \['id'\]"):
        read_splits(tmp_path)
