"""The compiled pipeline is what a backend runs: what kfp's Python side lets through, the Go backend may refuse hours later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from patina.core import containers
from patina_pipelines import compiled

COMMITTED = Path(__file__).parents[2] / "manifests" / "compiled"
YAML_1_1_BOOLEANS = {"n", "y", "on", "off", "yes", "no", "true", "false"}


@pytest.fixture(scope="module", params=compiled.PIPELINES)
def documents(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((COMMITTED / f"{request.param}.yaml").read_text()))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside `value`."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def dags(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"root": spec["root"], **{name: part for name, part in spec["components"].items() if "dag" in part}}


def declared_parameters(component: dict[str, Any]) -> set[str]:
    return set(component.get("inputDefinitions", {}).get("parameters", {}))


def test_committed_files_are_what_the_code_compiles_to() -> None:
    assert compiled.stale(COMMITTED) == [], "run `patina compile` and commit the result"


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    (path,) = compiled.compile_all(tmp_path)
    path.write_text(path.read_text() + "# edited by hand\n")
    assert compiled.stale(tmp_path) == [path.name]


def test_every_parameter_that_a_task_reads_is_declared_by_its_own_dag(documents: list[dict[str, Any]]) -> None:
    # A loop item's field in a node selector compiles, and then never resolves: "parent DAG does not have input parameter".
    checked = 0
    for name, component in dags(documents[0]).items():
        for node in nodes(component["dag"]["tasks"]):
            if "componentInputParameter" in node:
                checked += 1
                assert node["componentInputParameter"] in declared_parameters(component), f"{name} does not declare it"
    assert checked > 20


def test_every_parameter_that_kubernetes_settings_read_is_declared_by_the_dag_of_their_task(documents: list[dict[str, Any]]) -> None:
    spec, platform = documents
    executor_of = {name: part["executorLabel"] for name, part in spec["components"].items() if "executorLabel" in part}
    checked = 0
    for executor, settings in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items():
        homes = [
            component
            for component in dags(spec).values()
            for task in component["dag"]["tasks"].values()
            if executor_of.get(task["componentRef"]["name"]) == executor
        ]
        assert homes, f"no task runs {executor}"
        for node in nodes(settings):
            if "componentInputParameter" in node:
                checked += 1
                assert all(node["componentInputParameter"] in declared_parameters(home) for home in homes)
    assert checked == 4, "node selector and tolerations of train and of evaluate"


def test_resource_requests_read_only_inputs_of_their_own_task(documents: list[dict[str, Any]]) -> None:
    executors = documents[0]["deploymentSpec"]["executors"]
    for name in ("exec-train", "exec-evaluate"):
        resources = executors[name]["container"]["resources"]
        assert resources["accelerator"]["resourceType"] == "{{$.inputs.parameters['pipelinechannel--accelerator_type']}}"
        assert resources["resourceMemoryLimit"] == "{{$.inputs.parameters['pipelinechannel--memory']}}"


def test_every_image_is_one_of_the_project(documents: list[dict[str, Any]]) -> None:
    images = {name: executor["container"]["image"] for name, executor in documents[0]["deploymentSpec"]["executors"].items()}
    assert set(images.values()) == {containers.DATA, containers.TORCH}
    assert {name for name, image in images.items() if image == containers.TORCH} == {"exec-train", "exec-evaluate"}


def test_nothing_is_installed_at_run_time(documents: list[dict[str, Any]]) -> None:
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        assert "pip install" not in " ".join(executor["container"]["command"] + executor["container"]["args"])


def test_no_name_is_a_boolean_to_a_yaml_1_1_reader(documents: list[dict[str, Any]]) -> None:
    # kfp leaves `n` unquoted; Go reads a boolean and refuses the file. Python's loader does not show it.
    names = {key for document in documents for node in nodes(document) for key in node}
    assert len(names) > 50
    assert not names & YAML_1_1_BOOLEANS


def test_there_are_few_pipeline_parameters_and_each_is_explained(documents: list[dict[str, Any]]) -> None:
    parameters = documents[0]["root"]["inputDefinitions"]["parameters"]
    assert len(parameters) <= 12
    assert all(parameter.get("description") for parameter in parameters.values())


def test_numbers_inside_loop_items_are_strings(documents: list[dict[str, Any]]) -> None:
    # The backend turns a number inside a list parameter into a float: 1 becomes 1.0, and 1.0 GPUs are refused.
    items = documents[0]["root"]["inputDefinitions"]["parameters"]["architectures"]["defaultValue"]
    assert len(items) == 3
    assert not [value for item in items for value in item.values() if isinstance(value, int | float)]
