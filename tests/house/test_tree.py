"""What may stand in the repository, and where."""

import io
import re
import subprocess
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {"README.md", "components", "images", "manifests", "pipelines", "pyproject.toml", "tests"}

# Hosts that a reader of the project may follow: papers, licences, documentation, the data set, XML name spaces.
PUBLIC_HOSTS = {
    "arxiv.org",
    "creativecommons.org",
    "doi.org",
    "docs.pytorch.org",
    "github.com",
    "huggingface.co",
    "opensource.org",
    "pre-commit.com",
    "spdx.org",
    "www.apache.org",
    "www.kubeflow.org",
    "www.w3.org",
}
LOOPBACK = re.compile(r"127\.0\.0\.\d+|localhost|\[::1\]|[\w.-]+\.(?:invalid|test|example)|example\.(?:com|org)|\{.*|")
ADDRESS = re.compile(r"\bhttps?://([^\s/\"'<>()`:?#]*)")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:root|work|home/\w+|Users/\w+)/")
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|X" + "XX|HA" + r"CK)\b|NotImpl" + "ementedError")
SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore|ty:\s*ignore)")
WITH_CODE_AND_REASON = re.compile(r"#\s*(?:noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|(?:type|pyright): ignore\[[\w-]+(?:, [\w-]+)*\])\W+\w.{8,}")


def tracked() -> list[Path]:
    """Every file that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


FILES = tracked()
MODULES = [path for path in FILES if path.suffix == ".py"]


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """`file:line` of every match in the text files among `paths`."""
    found = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content:
            lines = content.decode().splitlines()
            found += [f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    return found


def comments(source: str) -> list[str]:
    return [token.string for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT]


def unexplained(source: str) -> list[str]:
    """Comments that silence a check without its code or without a reason."""
    return [comment for comment in comments(source) if SUPPRESSION.search(comment) and not WITH_CODE_AND_REASON.search(comment)]


def test_the_top_level_holds_only_what_the_layout_names():
    names = {path.relative_to(ROOT).parts[0] for path in FILES}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_modules_have_at_most_400_lines():
    # Training loops of well-known projects grew to 2,000 lines, one reasonable change at a time.
    assert MODULES
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_nothing_is_left_unfinished():
    assert lines_with(UNFINISHED, FILES) == []


def test_addresses_lead_to_public_pages_only():
    # A registry or proxy of the machine that made a file would break everybody else's build, and tells where it was made.
    found = []
    for path in FILES:
        content = path.read_bytes()
        if b"\0" not in content:
            hosts = set(ADDRESS.findall(content.decode()))
            found += [f"{path.relative_to(ROOT)}: {host}" for host in hosts if host not in PUBLIC_HOSTS and not LOOPBACK.fullmatch(host)]
    assert found == []


def test_no_path_of_somebodys_machine():
    assert lines_with(MACHINE_PATH, FILES) == []


def test_every_silenced_check_carries_its_code_and_a_reason():
    # A bare suppression hides the next error on its line, too.
    found = {path.relative_to(ROOT).as_posix(): unexplained(path.read_text()) for path in MODULES}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# TO" + "DO later"),
        (UNFINISHED, "raise NotImpl" + "ementedError"),
        (MACHINE_PATH, "open('" + "/ro" + "ot/data.csv')"),
        (MACHINE_PATH, "see " + "/ho" + "me/somebody/data"),
        (ADDRESS, "htt" + "ps://mirror.invalid/simple"),
    ],
)
def test_each_pattern_catches_its_accident(pattern, line):
    assert pattern.search(line)


@pytest.mark.parametrize(
    ("comment", "explained"),
    [
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: S101", False),
        ("x = 1  # noqa: S101 - pytest rewrites it", True),
        ("x = 1  # type: ignore", False),
        ("x = 1  # type: ignore[arg-type]", False),
        ("x = 1  # type: ignore[arg-type]  # the stubs of kfp are wrong", True),
        ("x = 1  # pyright: ignore[reportArgumentType]  # the stubs of kfp are wrong", True),
        ("x = '# noqa'", True),
    ],
)
def test_a_suppression_needs_a_code_and_a_reason(comment, explained):
    assert (unexplained(comment + "\n") == []) is explained


def test_every_bound_and_exemption_in_pyproject_says_why():
    text = (ROOT / "pyproject.toml").read_text()
    settings = tomllib.loads(text)["tool"]["ruff"]["lint"]
    codes = [*settings["ignore"], *(code for codes in settings["per-file-ignores"].values() for code in codes)]
    bound = re.compile(r'^\s*"[\w\[\],.-]+(?:==|.*<)[^"]*"')
    exemption = re.compile(r'^(?:\s*|"[^"]+" = \[)"(?:' + "|".join(map(re.escape, codes)) + r')"')
    told = [line for line in text.splitlines() if bound.search(line) or exemption.search(line)]
    assert len(told) >= len(codes)
    assert [line.strip() for line in told if "#" not in line] == []
