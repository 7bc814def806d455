import pytest
from typer.testing import CliRunner

from patina.core.errors import DataRefused
from patina_pipelines.cli import app

from .conftest import make_raw, textured


@pytest.fixture
def sets(tmp_path):
    make_raw(tmp_path / "a", {f"p{index}": textured(index) for index in range(3)})
    make_raw(tmp_path / "b", {f"q{index}": textured(10 + index) for index in range(3)})
    make_raw(tmp_path / "c", {"r0": textured(20), "r1": textured(1)[::-1].copy()})
    return tmp_path


def test_sets_that_stand_apart_end_well(sets):
    done = CliRunner().invoke(app, ["leaks", str(sets / "a"), str(sets / "b")])
    assert done.exit_code == 0
    assert "Nothing of the pictures of a" in done.output


def test_a_leak_is_named_and_ends_with_refused_data(sets):
    done = CliRunner().invoke(app, ["leaks", str(sets / "a"), str(sets / "c"), "--html", str(sets / "page.html")])
    assert isinstance(done.exception, DataRefused)
    assert done.exception.exit_code == 3
    assert "the same picture under another name: p1 | r1" in done.output
    assert "p1" in (sets / "page.html").read_text()
