import json
import subprocess
import sys
import time

import pytest

from patina.core.session import LOG, STATE, StageState, session

PRELUDE = """
import sys
from patina.core import errors
from patina.core.session import session

def work(progress):
    raise errors.{error}("the mask of 'fresco 7' has the value 99, expected 0..15 or 255.")

with session("split", sys.argv[1], label="unet") as progress:
    {body}
"""


def stage(tmp_path, body, error="DataRefused", before=""):
    output = tmp_path / "split-1" / "splits"
    command = [sys.executable, "-c", before + PRELUDE.format(body=body, error=error), output]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    state = StageState.model_validate_json((output.parent / STATE).read_bytes())
    return done.returncode, state, (output.parent / LOG).read_text()


def test_a_stage_that_succeeds_says_so_with_its_time_and_memory(tmp_path):
    before = time.time()
    code, state, log = stage(tmp_path, 'progress.report(3, 8, "epochs", miou=0.25, seconds_left=4.5)')
    assert code == 0
    assert (state.state, state.name, state.error, state.message) == ("succeeded", "split-unet", None, None)
    assert state.ended is not None
    assert before <= state.started <= state.ended <= time.time()
    assert state.peak_rss_bytes is not None
    assert 5e6 < state.peak_rss_bytes < 5e9
    assert state.progress.model_dump() == {"done": 3, "total": 8, "unit": "epochs", "miou": 0.25, "seconds_left": 4.5}
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        ("UsageError", 2, "failed"),
        ("DataRefused", 3, "failed"),
        ("StorageError", 4, "failed"),
        ("StageFailed", 5, "failed"),
        ("Interrupted", 75, "interrupted"),
    ],
)
def test_an_expected_error_gives_its_exit_code_one_line_and_a_traceback_in_the_log(tmp_path, error, code, outcome):
    returned, state, log = stage(tmp_path, "work(progress)", error)
    assert returned == code
    assert (state.state, state.error) == (outcome, error)
    assert state.message == "the mask of 'fresco 7' has the value 99, expected 0..15 or 255."
    assert state.ended is not None
    assert "Traceback" in log
    assert "in work" in log


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}['epochs']", "KeyError: 'epochs'"),
        ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line"),
        ("raise RuntimeError", "RuntimeError: no message"),
    ],
)
def test_an_error_that_nobody_foresaw_is_a_failed_stage_with_one_line(tmp_path, body, message):
    code, state, log = stage(tmp_path, body)
    assert (code, state.state, state.error, state.message) == (5, "failed", "StageFailed", message)
    assert "Traceback" in log


def test_a_killed_stage_is_left_running_with_its_process_id(tmp_path):
    # Whoever watches tells by the dead process that nobody will write the end.
    code, state, _ = stage(tmp_path, "import os, signal; sys.stdout.write(str(os.getpid())); os.kill(os.getpid(), signal.SIGKILL)")
    assert code == -9
    assert (state.state, state.ended) == ("running", None)
    assert state.pid > 0


def test_warnings_and_log_records_of_libraries_reach_the_log(tmp_path):
    body = "import logging, warnings; logging.getLogger('timm').info('weights read'); warnings.warn('old file', stacklevel=1)"
    _, _, log = stage(tmp_path, body)
    assert "weights read" in log
    assert "old file" in log


def test_a_disk_too_full_for_the_state_does_not_hide_the_error(tmp_path):
    full = "\nimport resource, patina.core.storage as storage\ndef refuse(*_):\n    raise errors.StorageError('disk full')\n"
    code, state, log = stage(tmp_path, "storage.write_json = refuse; work(progress)", before=full)
    assert code == 3
    assert state.state == "running"
    assert "fresco 7" in log
    assert "disk full" in log


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), None])
def test_a_score_that_does_not_exist_yet_is_left_out(tmp_path, nothing):
    # The mIoU of validation pictures without one labelled pixel is NaN: that must not end the training.
    with session("train", str(tmp_path / "model")) as progress:
        progress.report(1, 1, "epochs", miou=nothing, seconds_left=nothing)
    state = json.loads((tmp_path / STATE).read_text())
    assert (state["progress"]["miou"], state["progress"]["seconds_left"]) == (None, None)
    assert state["state"] == "succeeded"


def test_many_reports_are_not_many_writes_but_the_last_one_counts(tmp_path, monkeypatch):
    from patina.core import storage

    written = []
    monkeypatch.setattr(storage, "write_json", lambda _, content: written.append(content))
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    with session("train", str(tmp_path / "model")) as progress:
        for step in range(1, 1001):
            progress.report(step, 1000, "steps")
    assert [content["progress"]["done"] for content in written] == [None, 1000, 1000]
