"""The images hold what pyproject.toml asks for, and nothing that was not chosen."""

import ast
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from patina.core import containers

ROOT = Path(__file__).parents[2]
IMAGES = sorted(path.parent.name for path in (ROOT / "images").glob("*/Dockerfile"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: --hash=sha256:[0-9a-f]{64})+")


def entries(text: str) -> dict[str, Version]:
    """Name and version of every entry of a requirement list.

    Raises:
        ValueError: a line is anything but `name==version --hash=sha256:...`.
    """
    lines = [line for line in text.replace("\\\n", "").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = {}
    for line in lines:
        entry = ENTRY.fullmatch(" ".join(line.split()))
        if entry is None or entry["name"] in found:
            raise ValueError(f"not one pinned entry with hashes: {line[:80]}")
        found[canonicalize_name(entry["name"])] = Version(entry["version"])
    return found


def locked(image: str) -> dict[str, Version]:
    return entries((ROOT / "images" / image / "requirements.txt").read_text())


def asked(image: str) -> list[Requirement]:
    """What pyproject.toml asks for in `image`, kfp at the version that compiles included."""
    compiler = [line for line in PROJECT["optional-dependencies"]["pipelines"] if line.startswith("kfp==")]
    extra = PROJECT["optional-dependencies"]["torch"] if image == "torch" else []
    return [Requirement(line) for line in (*PROJECT["dependencies"], *extra, *compiler)]


def unsatisfied(requirements: list[Requirement], versions: dict[str, Version]) -> list[str]:
    return [str(r) for r in requirements if (v := versions.get(canonicalize_name(r.name))) is None or not r.specifier.contains(v)]


def instructions(image: str) -> list[tuple[str, str]]:
    """Instruction and arguments of every line of the image's Dockerfile, continuation lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "images" / image / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], " ".join(line.split()[1:])) for line in text.splitlines() if line.strip()]


def test_there_is_one_image_for_each_reference_in_the_components():
    # The tag is the project's version: an old image under a new pipeline is a fault that no log shows.
    references = {containers.DATA: "data", containers.TORCH: "torch"}
    assert set(IMAGES) == set(references.values())
    for reference, image in references.items():
        assert reference.endswith(f"/{image}:{PROJECT['version']}")


@pytest.mark.parametrize("image", ["data", "torch"])
def test_the_list_satisfies_pyproject(image):
    # Lists are made by hand (images/lock.sh): without this test they fall behind, and the cluster runs other code than the tests.
    assert len(asked(image)) > len(PROJECT["dependencies"])
    assert unsatisfied(asked(image), locked(image)) == []


@pytest.mark.parametrize("image", ["data", "torch"])
def test_the_list_is_complete_without_asking_for_dependencies(image):
    # It is installed with --no-deps. What is installed here at the same version tells what it needs.
    versions = locked(image)
    checked = 0
    for name, version in versions.items():
        if name == "kfp" or name not in INSTALLED or Version(metadata.version(name)) != version:
            continue
        needed = [Requirement(line) for line in metadata.requires(name) or []]
        needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": "", "platform_machine": "x86_64"})]
        assert unsatisfied(needed, versions) == [], name
        checked += 1
    assert checked > len(versions) / 3, "too few of the list's libraries are installed here to tell"


INSTALLED = {canonicalize_name(distribution.name) for distribution in metadata.distributions()}


def test_both_images_have_the_same_version_of_every_library_that_they_share():
    data, torch = locked("data"), locked("torch")
    assert set(data) < set(torch)
    assert {name: str(version) for name, version in data.items() if torch[name] != version} == {}


def test_the_data_image_has_no_torch():
    assert not [name for name in locked("data") if re.search(r"torch|nvidia|cuda|triton|timm", name)]
    assert {"torch", "timm"} <= set(locked("torch"))


GOOD = "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via patina\n"


@pytest.mark.parametrize(
    "text",
    [
        "--index-url htt" + "ps://mirror.invalid/simple\n" + GOOD,
        "--extra-index-url htt" + "ps://mirror.invalid/simple\n" + GOOD,
        "--find-links wheels\n" + GOOD,
        "numpy==2.4.6\n",
        "numpy>=2 --hash=sha256:" + "0" * 64,
        "numpy @ file:///wheels/numpy.whl --hash=sha256:" + "0" * 64,
        GOOD + GOOD,
    ],
)
def test_a_list_holds_nothing_but_pinned_entries_with_hashes(text):
    # An index address in a list sends everybody's build to one machine's mirror; an entry without hash installs whatever is served.
    assert entries(GOOD) == {"numpy": Version("2.4.6")}
    with pytest.raises(ValueError, match="not one pinned entry"):
        entries(text)


@pytest.mark.parametrize(("line", "fits"), [("numpy>=2.4", True), ("numpy>=3", False), ("pandas", False)])
def test_a_list_that_fell_behind_is_found(line, fits):
    assert (unsatisfied([Requirement(line)], entries(GOOD)) == []) is fits


@pytest.mark.parametrize("image", IMAGES)
def test_a_container_runs_as_a_number_that_is_not_root(image):
    # With "run as non-root", Kubernetes cannot look a name up and the pod hangs in CreateContainerConfigError.
    users = [arguments for instruction, arguments in instructions(image) if instruction == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1])
    assert instructions(image)[-1][0] == "USER", "nothing may be done as another user afterwards"


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_image_can_be_replaced_and_the_build_stage_is_left_behind(image):
    stages = [arguments.split()[0] for instruction, arguments in instructions(image) if instruction == "FROM"]
    assert stages == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    last = instructions(image)[[i for i, line in enumerate(instructions(image)) if line[0] == "FROM"][-1] :]
    added = [arguments for instruction, arguments in last if instruction in {"COPY", "ADD", "RUN"}]
    assert added == ["--from=build /opt/patina /opt/patina"]


@pytest.mark.parametrize("image", IMAGES)
def test_libraries_are_installed_by_hash_and_secrets_are_mounted_not_copied(image):
    runs = [arguments for instruction, arguments in instructions(image) if instruction == "RUN"]
    installs = [run for run in runs if "pip install" in run and "requirements.txt" in run]
    assert len(installs) == 1
    assert {"--require-hashes", "--no-deps", "--no-cache"} <= set(installs[0].split())
    text = " ".join(arguments for instruction, arguments in instructions(image) if instruction in {"ARG", "ENV", "COPY"})
    assert not re.search(r"(?i)token|password|secret|ca\.pem|proxy", text)


@pytest.mark.parametrize("image", IMAGES)
def test_the_build_tries_to_import_only_what_its_list_holds(image):
    # It once tried a library that had left the list: no image could be built, and no test said so.
    tried = [name for _, run in instructions(image) for text in re.findall(r'-c "import ([^"]+)"', run) for name in text.split(", ")]
    owners = metadata.packages_distributions()
    assert len(tried) > 3
    for name in tried:
        top = name.partition(".")[0]
        assert top == "patina" or {canonicalize_name(owner) for owner in owners[top]} & set(locked(image)), name


def test_every_component_runs_in_the_image_that_has_its_libraries():
    # `train` in the data image would fail on the cluster only: here both environments are one.
    torch_stages = set()
    for path in (ROOT / "components" / "patina").glob("*/*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        if any(name.partition(".")[0] == "torch" for name in imported):
            torch_stages.add(path.parent.name)
    faces = {path.parent.name: path.read_text() for path in (ROOT / "components" / "patina").glob("*/component.py")}
    assert faces
    assert {stage for stage, text in faces.items() if "base_image=TORCH" in text} == torch_stages & set(faces)
