"""The compiled pipeline is what a backend runs: what kfp's Python side lets through, the Go backend may refuse hours later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2

from patina.core import containers
from patina.core.config import override
from patina.core.errors import UsageError
from patina_pipelines import compiled
from patina_pipelines.compile_options import CompileOptions, pinned_images

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


def pods(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Kubernetes settings by stage."""
    executors = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): settings for name, settings in executors.items()}


def compile_with(folder: Path, changes: dict[str, Any], images: dict[str, str] | None = None) -> list[dict[str, Any]]:
    (path,) = compiled.compile_all(folder, override(CompileOptions(), changes, "compile"), images)
    return list(yaml.safe_load_all(path.read_text()))


def test_every_pod_refuses_root_and_says_its_stage(documents: list[dict[str, Any]]) -> None:
    stages = pods(documents[1])
    assert set(stages) == {name.removeprefix("exec-") for name in documents[0]["deploymentSpec"]["executors"]}
    for stage, pod in stages.items():
        assert pod["securityContext"] == {"runAsNonRoot": True}
        assert pod["podMetadata"]["labels"] == {"patina.io/stage": stage}


def test_every_stage_is_tried_again_with_growing_waits_and_ends_some_day(documents: list[dict[str, Any]]) -> None:
    executors = {name for name, part in documents[0]["components"].items() if "executorLabel" in part}
    tasks = [task for dag in dags(documents[0]).values() for task in dag["dag"]["tasks"].values()]
    policies = [task["retryPolicy"] for task in tasks if task["componentRef"]["name"] in executors]
    assert len(policies) == len(executors)
    assert all(policy["maxRetryCount"] == 2 and policy["backoffDuration"] == "60s" for policy in policies)
    assert all(0 < int(pod["activeDeadlineSeconds"]) <= 30 * 86_400 for pod in pods(documents[1]).values())


def test_training_and_evaluation_share_memory_and_nothing_else_does(documents: list[dict[str, Any]]) -> None:
    mounts = {stage: pod["emptyDirMounts"] for stage, pod in pods(documents[1]).items() if "emptyDirMounts" in pod}
    assert set(mounts) == {"train", "evaluate"}
    assert mounts["train"] == [{"medium": "Memory", "mountPath": "/dev/shm", "sizeLimit": "2Gi", "volumeName": "dshm"}]  # noqa: S108 - a mount point


def test_options_reach_the_pods_that_they_are_for(tmp_path: Path) -> None:
    changes = {
        "retries": 0,
        "timeout_minutes.train": 10,
        "timeout_minutes.class_weights": 0,
        "shared_memory": None,
        "labels": {"cost-center": "paintings"},
        "data_queue": "cpu",
        "training_queue": "training",
        "training_priority": "patina-training",
        "image_pull_secrets": ["registry"],
        "s3_secret": "patina-s3",
        "environment": {"AWS_ENDPOINT_URL": "https://s3.example"},
    }
    spec, platform = compile_with(tmp_path, changes)
    stages = pods(platform)
    assert not [node for node in nodes(spec) if "retryPolicy" in node or "emptyDirMounts" in node]
    assert int(stages["train"]["activeDeadlineSeconds"]) == 600
    assert "activeDeadlineSeconds" not in stages["class-weights"], "0 is no limit"
    assert {pod["podMetadata"]["labels"]["cost-center"] for pod in stages.values()} == {"paintings"}
    queues = {stage: pod["podMetadata"]["labels"]["kueue.x-k8s.io/queue-name"] for stage, pod in stages.items()}
    assert {stage for stage, queue in queues.items() if queue == "training"} == {"train", "evaluate"}
    assert {stage for stage, pod in stages.items() if "kueue.x-k8s.io/priority-class" in pod["podMetadata"]["labels"]} == {
        "train",
        "evaluate",
    }
    assert all(pod["imagePullSecret"][0]["secretName"] == "registry" for pod in stages.values())
    secret = {stage: pod["secretAsVolume"][0]["mountPath"] for stage, pod in stages.items() if "secretAsVolume" in pod}
    assert secret == dict.fromkeys(("download", "train"), "/var/run/secrets/patina-s3")
    variables = {name: part["container"].get("env") for name, part in spec["deploymentSpec"]["executors"].items()}
    assert {name for name, env in variables.items() if env} == {"exec-download", "exec-train"}
    told = {variable["name"]: variable["value"] for variable in variables["exec-train"]}
    assert told == {"AWS_ENDPOINT_URL": "https://s3.example", "PATINA_S3_SECRET": "/var/run/secrets/patina-s3"}
    for pod in stages.values():
        assert json_format.ParseDict(pod, kubernetes_executor_config_pb2.KubernetesExecutorConfig()), "the backend can read it"


def test_options_of_one_compilation_do_not_stay_for_the_next(tmp_path: Path) -> None:
    compile_with(tmp_path, {"labels": {"cost-center": "paintings"}}, {containers.DATA: "a", containers.TORCH: "b"})
    assert compiled.stale(COMMITTED) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retries": -1}, "retries"),
        ({"retry": 1}, "Did you mean: retries"),
        ({"timeout_minutes.training": 1}, "timeout_minutes.training"),
        ({"shared_memory": "8 GB"}, "shared_memory"),
        ({"labels": {"cost center": "x"}}, "no Kubernetes label"),
        ({"labels": {"team": "x" * 64}}, "no Kubernetes label"),
        ({"labels": {"patina.io/stage": "download"}}, "option of its own"),
        ({"training_queue": "Training Queue"}, "training_queue"),
        ({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "sounds like a secret"),
        ({"environment": {"HF_TOKEN": "x"}}, "sounds like a secret"),
    ],
)
def test_a_wrong_option_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        override(CompileOptions(), changes, "compile")


def test_images_are_pinned_by_the_digests_that_were_built(tmp_path: Path) -> None:
    digests = tmp_path / "digests.json"
    data, torch = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    digests.write_text(f'{{"data": "{data}", "torch": "{torch}"}}')
    spec, _ = compile_with(tmp_path / "out", {}, pinned_images("registry.example.org:5000/heritage/patina", digests))
    images = {name: part["container"]["image"] for name, part in spec["deploymentSpec"]["executors"].items()}
    assert images["exec-split"] == f"registry.example.org:5000/heritage/patina/data@{data}"
    assert images["exec-train"] == f"registry.example.org:5000/heritage/patina/torch@{torch}"
    assert all("@sha256:" in image for image in images.values())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"data": "sha256:12", "torch": "latest"}'])
def test_a_file_without_both_digests_is_refused(tmp_path: Path, content: str) -> None:
    digests = tmp_path / "digests.json"
    digests.write_text(content)
    with pytest.raises(UsageError, match="--digests"):
        pinned_images("registry.example.org/patina", digests)


@pytest.mark.parametrize("registry", ["", "https://registry.example", "registry.example.org/patina/", "Registry/patina"])
def test_a_registry_is_a_host_and_a_path(tmp_path: Path, registry: str) -> None:
    with pytest.raises(UsageError, match="--registry"):
        pinned_images(registry, tmp_path / "digests.json")
