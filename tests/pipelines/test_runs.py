"""Local runs are found by what a person would type."""

from pathlib import Path

import pytest

from patina.core.errors import DataRefused, UsageError
from patina_pipelines import runs

PARAMETERS = {"data": "sample", "architectures": [{"architecture": "unet-mit_b0"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return runs.create(tmp_path / "runs", "benchmark", PARAMETERS)


def test_a_new_run_knows_its_checkpoint_folder(folder: Path) -> None:
    checkpoints = Path(runs.load(folder).parameters["checkpoints"])
    assert checkpoints == folder / "checkpoints"
    assert checkpoints.is_dir()


@pytest.mark.parametrize("name", ["latest", "{id}", "{short}", "{path}"])
def test_a_run_is_found_by(folder: Path, name: str) -> None:
    typed = name.format(id=folder.name, short=folder.name[-6:], path=folder)
    assert runs.find(folder.parent, typed) == folder


def test_an_ambiguous_name_is_refused(folder: Path) -> None:
    runs.create(folder.parent, "benchmark", PARAMETERS)
    with pytest.raises(UsageError, match="2 runs fit 'benchmark-'"):
        runs.find(folder.parent, "benchmark-")


def test_an_unknown_name_tells_what_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match=folder.name):
        runs.find(folder.parent, "nothing-like-it")


def test_runs_are_listed_oldest_first_and_strangers_left_out(folder: Path) -> None:
    second = runs.create(folder.parent, "benchmark", PARAMETERS)
    (folder.parent / "notes").mkdir()
    assert set(runs.listing(folder.parent)) == {folder, second}


def test_attempts_are_recorded_with_code_and_libraries(folder: Path) -> None:
    runs.begin(folder)
    runs.finish(folder, "failed")
    runs.begin(folder)
    run = runs.finish(folder, "succeeded")
    assert [attempt.ended is not None for attempt in run.attempts] == [True, True]
    assert run.attempts[0].libraries["numpy"]
    assert runs.load(folder).state == "succeeded"


def test_a_damaged_record_is_one_clear_error(folder: Path) -> None:
    (folder / runs.RECORD).write_text('{"id": 7}')
    with pytest.raises(DataRefused, match="not written by this version"):
        runs.load(folder)


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--runs"):
        runs.create(tmp_path / "file", "benchmark", PARAMETERS)
