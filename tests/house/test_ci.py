"""Continuous integration runs what the README promises, and is red when it should be."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

TESTS = """
import pytest

def test_good():
    assert True

@pytest.mark.skipif(True, reason="{reason}")
def test_skipped():
    assert False
"""


@pytest.fixture
def checkout(tmp_path):
    """A small project with our .ci, whose README names a test command; and a PATH on which a browser stands already."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chromium").symlink_to(sys.executable)
    command = f"cd tests && '{sys.executable}' -m pytest -q -p no:cacheprovider"
    other = "```sh\nexit 9\n```\n"
    (tmp_path / "README.md").write_text(f"{other}\n<!-- test command -->\n```sh\n{command}\n```\n\n{other}")
    (tmp_path / "tests").mkdir()
    return tmp_path


def ci(checkout, *reasons):
    path = f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([checkout / ".ci" / "run", *reasons], check=False, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr


def test_ci_runs_the_command_of_the_readme_and_ends_with_pytests_last_line(checkout):
    (checkout / "tests" / "test_x.py").write_text(TESTS.format(reason="GPU: no CUDA device"))
    code, output, errors = ci(checkout)
    assert (code, errors) == (0, "")
    assert re.search(r"^1 passed, 1 skipped in [\d.]+s\Z", output.strip().splitlines()[-1])


def test_a_test_that_was_skipped_because_a_tool_is_missing_fails_ci_and_is_named(checkout):
    (checkout / "tests" / "test_x.py").write_text(TESTS.format(reason="Docker: no daemon"))
    code, output, errors = ci(checkout)
    assert code == 1
    assert "1 passed, 1 skipped" in output
    assert "test_skipped: Docker: no daemon" in errors


def test_a_machine_may_say_what_it_does_not_have(checkout):
    (checkout / "tests" / "test_x.py").write_text(TESTS.format(reason="real data: not beside the checkout"))
    assert ci(checkout)[0] == 1
    assert ci(checkout, "real data")[0] == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("def test_bad():\n    assert False\n", 1),
        ("import pytest\n\n@pytest.mark.xfail\ndef test_hidden():\n    assert False\n", 1),
        ("import pytest\npytest.skip('S3: no server', allow_module_level=True)\n", 5),
        ("", 5),
    ],
    ids=["failure", "expected failure", "skipped module", "no test"],
)
def test_what_is_not_green_is_red(checkout, content, code):
    (checkout / "tests" / "test_x.py").write_text(content)
    assert ci(checkout)[0] == code


def test_a_readme_without_a_test_command_is_told(checkout):
    (checkout / "README.md").write_text("```sh\ntrue\n```\n")
    code, _, errors = ci(checkout)
    assert code == 2
    assert "<!-- test command -->" in errors


def test_the_readme_has_the_test_command_that_ci_looks_for():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines.count("<!-- test command -->") == 1
    assert lines[lines.index("<!-- test command -->") + 1] == "```sh"
    assert "pytest" in lines[lines.index("<!-- test command -->") + 2]


def scripts(workflow):
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_asks_for_nothing_it_does_not_need_and_runs_no_text_as_code(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 360 for job in workflow["jobs"].values())
    assert scripts(workflow)
    # An expression is pasted into the script before the shell reads it: whoever writes an input would write the script.
    assert not [script for script in scripts(workflow) if "${{" in script]
    actions = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in actions), actions


def test_the_workflows_run_our_own_scripts():
    commands = {path.stem: scripts(yaml.safe_load(path.read_text())) for path in WORKFLOWS}
    assert any(script.startswith(".ci/run") for script in commands["ci"])
    assert any("patina compile --check" in script for script in commands["submit"])
    assert any("patina submit manifests/compiled/benchmark.yaml" in script for script in commands["submit"])


def test_hooks_run_in_the_projects_own_environment():
    # A hook with an environment of its own has another version of the checker: what it lets through, CI refuses.
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in configuration["repos"]] == ["local"]
    for hook in configuration["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith("uv run ")
