"""The checkers that people run by hand are tests, so that nobody has to remember them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(tool: str, *arguments: str):
    found = shutil.which(tool, path=Path(sys.executable).parent) or shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool}: not installed; `uv sync` brings it")
    return subprocess.run([found, *arguments], check=False, capture_output=True, text=True, cwd=ROOT)


def test_ruff_finds_nothing():
    done = run("ruff", "check", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_formatted():
    done = run("ruff", "format", "--check", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_right():
    done = run("pyright", "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr
