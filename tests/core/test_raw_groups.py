import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patina.core.errors import DataRefused
from patina.core.raw_groups import GROUPS_FILE, read_groups, write_groups


def test_a_folder_without_groups_has_none(tmp_path):
    assert read_groups(tmp_path) == {}


def test_groups_come_back_without_empty_cells(tmp_path):
    groups = {"group_object": {"b": "atlas, 7", "a": 'the "red" one'}, "group_roll": {"a": "", "c": "12"}, "group_empty": {"a": ""}}
    assert write_groups(tmp_path, groups) == ["group_object", "group_roll"]
    assert read_groups(tmp_path) == {"group_object": {"b": "atlas, 7", "a": 'the "red" one'}, "group_roll": {"c": "12"}}


@settings(max_examples=30)
@given(
    groups=st.dictionaries(
        st.from_regex(r"group_[a-z0-9_]{1,9}", fullmatch=True), st.dictionaries(st.sampled_from("abc"), st.text(min_size=1))
    )
)
def test_any_text_can_name_a_group_white_space_as_one_blank(tmp_path_factory, groups):
    folder = tmp_path_factory.mktemp("raw")
    write_groups(folder, groups)
    expected = {name: {key: " ".join(value.split()) for key, value in values.items() if value.strip()} for name, values in groups.items()}
    assert read_groups(folder) == {name: values for name, values in expected.items() if values}


def test_the_order_of_columns_and_ids_changes_nothing(tmp_path):
    one, two = ({"group_b": {"x": "1", "y": "2"}, "group_a": {"y": "3"}}, {"group_a": {"y": "3"}, "group_b": {"y": "2", "x": "1"}})
    files = []
    for groups in (one, two):
        write_groups(tmp_path, groups)
        files.append((tmp_path / GROUPS_FILE).read_bytes())
    assert files[0] == files[1] == b"id,group_a,group_b\nx,,1\ny,3,2\n"


def test_without_groups_the_file_of_an_earlier_attempt_goes(tmp_path):
    write_groups(tmp_path, {"group_a": {"x": "1"}})
    assert write_groups(tmp_path, {"group_a": {}}) == []
    assert read_groups(tmp_path) == {}


@pytest.mark.parametrize("name", ["object", "group_", "group_a b", "group_../x"])
def test_a_column_without_a_safe_name_is_refused(tmp_path, name):
    with pytest.raises(DataRefused, match="not a safe name"):
        write_groups(tmp_path, {name: {"a": "1"}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,group_a\nx,1\n",
        "id,group_a\nx\n",
        "id,group_a\nx,1\nx,2\n",
        "id,group_a,group_a\nx,1,2\n",
        "id,group_a\n../x,1\n",
        '"',
        "\xff",
    ],
)
def test_a_file_that_is_no_table_of_groups_is_refused(tmp_path, text):
    (tmp_path / GROUPS_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataRefused, match="should be the groups of a raw artifact"):
        read_groups(tmp_path)
