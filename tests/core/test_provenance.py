import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import patina
from patina.core import provenance

PRINT_DIGEST = "import patina.core.provenance as p, sys; sys.stdout.write(p.source_digest())"


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, and the digest that it gives of itself."""
    root = tmp_path / "patina"
    shutil.copytree(Path(patina.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))

    def digest():
        command = [sys.executable, "-c", PRINT_DIGEST]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    return root, digest


def test_the_digest_of_the_source_does_not_depend_on_its_place(copy, tmp_path):
    root, digest = copy
    before = digest()
    shutil.copytree(root, tmp_path / "elsewhere" / "patina")
    command = [sys.executable, "-c", PRINT_DIGEST]
    after = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path / "elsewhere").stdout
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert after == before


@pytest.mark.parametrize("edit", ["change", "add", "rename", "remove"])
def test_any_edit_of_the_source_changes_its_digest(copy, edit):
    root, digest = copy
    module = root / "core" / "taxonomy.py"
    before = digest()
    match edit:
        case "change":
            module.write_text(module.read_text() + "\n")
        case "add":
            (root / "core" / "colours.py").touch()
        case "rename":
            module.rename(module.with_name("classes.py"))
        case "remove":
            module.unlink()
    assert digest() != before


def test_compiled_files_do_not_change_the_digest(copy):
    root, digest = copy
    before = digest()
    (root / "core" / "__pycache__").mkdir(exist_ok=True)
    (root / "core" / "__pycache__" / "taxonomy.cpython-311.pyc").write_bytes(b"compiled")
    assert digest() == before


def test_library_versions_hold_what_is_installed_and_leave_out_what_is_not(monkeypatch):
    monkeypatch.setattr(provenance, "_LIBRARIES", ("numpy", "a-library-that-nobody-has"))
    versions = provenance.library_versions.__wrapped__()
    assert set(versions) == {"python", "numpy"}
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_host_facts_name_no_person_and_no_path():
    facts = " ".join(provenance.host_facts().values())
    assert str(Path.home()) not in facts
    assert str(Path(sys.executable).parent) not in facts
