import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from patina.core.errors import StorageError
from patina.train.turns import lease, stop_requests

HOLD = """
import sys
from patina.train.turns import lease
with lease("gpu-test"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def holder() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_second_training_waits_for_the_first() -> None:
    first = holder()
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    second = holder()
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=1.0)
    first.communicate("")
    out, _ = second.communicate("")
    assert out == "held\n"


def test_a_killed_training_gives_its_turn_back() -> None:
    first = holder()
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.wait()
    with lease("gpu-test"):
        pass


def test_two_devices_do_not_wait_for_each_other() -> None:
    with lease("gpu-a"), lease("gpu-b"):
        pass


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"patina-{os.getuid()}-gpu-a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot open the lock file"), lease("gpu-a"):
        pass


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_becomes_a_question(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    with stop_requests() as stop:
        assert not stop()
        os.kill(os.getpid(), kind)
        assert stop()
    assert signal.getsignal(kind) is before


def test_a_second_interrupt_is_not_held_back() -> None:
    with stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
