"""What images/build.sh says when it is asked for something that cannot work. Nothing is built here."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "images" / "build.sh"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tourch"], "unknown argument 'tourch'"),
        (["--registry"], "--registry needs a value"),
        (["--push"], "--push needs --registry"),
        (["--ca", "nowhere.pem"], "no certificates in nowhere.pem"),
        (["data"], "no Docker engine answers"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(arguments, words):
    environment = {**os.environ, "DOCKER": "false"}  # a client whose engine never answers
    done = subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
