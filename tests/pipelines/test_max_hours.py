"""A run with a time limit stops in order, as a batch system needs it, and goes on when it is started again."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_run_past_its_hours_exits_75_and_keeps_what_is_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "patina_pipelines", "run", "--max-hours", "0.0015", "--set", "pictures=24", "--set", "epochs=200"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 75, result.stdout + result.stderr
    assert "--resume" in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"
