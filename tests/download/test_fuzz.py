"""500 damaged files through the reading path of the stage; `corruption.py` says what is done to them and what counts as wrong."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import corruption
import pytest


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    command = [sys.executable, str(Path(corruption.__file__)), str(tmp_path_factory.mktemp("fuzz"))]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=variables, check=False, capture_output=True, text=True, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, lines, done.stderr


def test_no_file_crashes_or_hangs_the_reader(report):
    code, lines, errors = report
    assert code == 0, f"behind {lines[-1:]}: {errors[-2000:]}"
    assert len(lines) == corruption.CASES + 1


def test_no_file_ends_in_a_traceback_or_a_wrong_row(report):
    _, lines, _ = report
    assert [line for line in lines if str(line[-1]).startswith("fault")] == []


def test_the_damage_is_found_where_it_matters_and_many_kinds_of_it_are_tried(report):
    _, lines, _ = report
    outcomes = Counter(line[-1] for line in lines[:-1])
    assert outcomes["refused"] > 100
    assert outcomes["quarantined"] > 100
    assert set(outcomes) <= {"refused", "quarantined", "equal", "picture differs", "texts differ"}
    assert len({line[1].split()[0] for line in lines[:-1]}) == len(corruption.ANYWHERE) + 2
