"""Arrows point down only. A cycle or a stage that knows its neighbour is found here, not when an image lacks a library."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPONENTS = sorted((ROOT / "components" / "patina").glob("*/component.py"))
TORCH_STACK = {"safetensors", "segmentation_models_pytorch", "timm", "torch", "torchvision"}


def image_of(component: Path) -> str:
    """`DATA` or `TORCH`, as the decorator says."""
    calls = [node for node in ast.walk(ast.parse(component.read_text())) if isinstance(node, ast.Call)]
    return next(ast.unparse(k.value) for call in calls for k in call.keywords if k.arg == "base_image")


DATA_STAGES = [path.parent.name for path in COMPONENTS if image_of(path) == "DATA"]


def loaded_by(*modules: str) -> set[str]:
    """Top-level names of every module that a fresh Python has loaded after importing `modules`."""
    script = f"import sys, {', '.join(modules)}; sys.stdout.write(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split())


def lint_imports(*arguments: str):
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def test_the_contracts_of_the_import_linter_are_kept():
    done = lint_imports()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_contracts_know_every_data_stage():
    # A stage that is missing in the list of a contract is not checked by it.
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    without_torch = next(contract for contract in contracts if "torch" in contract.get("forbidden_modules", []))
    assert {f"patina.{stage}" for stage in DATA_STAGES} <= set(without_torch["source_modules"])
    assert set(without_torch["forbidden_modules"]) == TORCH_STACK
    assert len(DATA_STAGES) >= 5


@pytest.mark.parametrize("stage", DATA_STAGES)
def test_a_data_stage_loads_no_library_that_its_image_lacks_or_that_it_seldom_needs(stage):
    # The data image has no torch; matplotlib and datasets are imported by the functions that use them, so that a stage starts at once.
    assert loaded_by(f"patina.{stage}.stage") & (TORCH_STACK | {"datasets", "kfp", "matplotlib"}) == set()


def test_the_compiler_of_pipelines_needs_no_torch():
    # The workflow that submits a run installs none.
    faces = [f"patina.{path.parent.name}.component" for path in COMPONENTS]
    assert faces
    assert loaded_by(*faces, "patina_pipelines.compiled") & TORCH_STACK == set()


def test_the_command_line_answers_before_heavy_libraries_are_loaded():
    assert loaded_by("patina_pipelines.cli") & (TORCH_STACK | {"kfp", "matplotlib", "pandas"}) == set()
