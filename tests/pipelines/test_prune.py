from pathlib import Path

import pytest

from patina.core.errors import UsageError
from patina_pipelines import prune, runs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four runs that have ended, one that runs, and a file of somebody's."""
    for day in range(1, 6):
        made = runs.create(tmp_path, "benchmark", {})
        made = made.rename(tmp_path / f"benchmark-2026010{day}T000000Z-00000{day}")
        runs.begin(made)
        if day != 1:
            runs.finish(made, "failed" if day == 2 else "succeeded")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def names(planned: prune.Plan) -> list[str]:
    return [candidate.name for candidate in planned.candidates]


def test_the_newest_runs_and_a_running_one_stay(folder: Path) -> None:
    planned = prune.plan(str(folder), keep=2)
    assert names(planned) == ["benchmark-20260102T000000Z-000002", "benchmark-20260103T000000Z-000003"]
    assert (planned.kept, planned.foreign) == (3, 1)
    assert all(candidate.bytes > 0 for candidate in planned.candidates)


def test_planning_removes_nothing_and_removing_removes_what_was_planned(folder: Path) -> None:
    planned = prune.plan(str(folder), keep=2)
    assert len(runs.listing(folder)) == 5
    prune.remove(str(folder), planned)
    assert [path.name[-1] for path in runs.listing(folder)] == ["1", "4", "5"]
    assert (folder / "notes.txt").is_file()


def test_with_few_runs_nothing_goes(folder: Path) -> None:
    assert prune.plan(str(folder), keep=5).candidates == ()


@pytest.mark.parametrize(("keep", "days"), [(0, 1.0), (1, -1.0)])
def test_counts_out_of_range_are_refused(keep: int, days: float, folder: Path) -> None:
    with pytest.raises(UsageError, match="expected to keep at least one run"):
        prune.plan(str(folder), keep=keep, days=days)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        prune.plan(str(tmp_path / "missing"))
