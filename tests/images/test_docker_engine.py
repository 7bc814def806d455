"""What `--engine docker` asks of a Docker engine, and what it says when it cannot have it. No engine is needed here."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode gives test folders no package: `engine_stub` is found here

from engine_stub import EngineStub

from patina.core.errors import UsageError
from patina.core.session import STATE
from patina_pipelines import docker_engine, watch

SAMPLE = {
    "data": "sample",
    "recipe": "quick",
    "train_settings": "{}",
    "checkpoints": "none",
    "architectures": [{"architecture": "unet-resnet10t"}],
}


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "benchmark-20260101T000000Z-abcdef"
    for name in ("kfp", "checkpoints"):
        (run / name).mkdir(parents=True)
    return run


@pytest.fixture
def parameters(folder):
    return {**SAMPLE, "checkpoints": str(folder / "checkpoints")}


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Function from the engine's security options to a running stub, which DOCKER_HOST names."""
    started = []

    def start(*security_options: str) -> EngineStub:
        path = tmp_path / "sock"
        server = EngineStub(path, list(security_options))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_containers_have_no_network_no_rights_and_a_read_only_root(folder, parameters):
    asked = docker_engine.run_arguments(folder, parameters)
    expected = {"network_mode": "none", "read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    assert expected.items() <= asked.items()


def test_containers_carry_the_id_of_their_run(folder, parameters):
    # A run that is stopped finds its containers by it: they are no children of the engine's process.
    assert docker_engine.run_arguments(folder, parameters)["labels"] == {docker_engine.RUN_LABEL: folder.name}


@pytest.mark.parametrize(("uid", "gid", "user"), [(0, 0, "10001:10001"), (1000, 100, "1000:100")])
def test_containers_run_as_the_person_and_never_as_root(folder, parameters, monkeypatch, uid, gid, user):
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: gid)
    assert docker_engine.run_arguments(folder, parameters)["user"] == user


def test_checkpoints_are_mounted_to_write_and_a_data_folder_to_read(folder, parameters, tmp_path):
    mounts = docker_engine.run_arguments(folder, {**parameters, "data": str(tmp_path)})["mounts"]
    assert {(mount["Source"], mount["Target"], mount["ReadOnly"] or False) for mount in mounts} == {
        (parameters["checkpoints"], parameters["checkpoints"], False),
        (str(tmp_path), str(tmp_path), True),
    }


def test_generated_pictures_need_no_mount(folder, parameters):
    mounts = docker_engine.run_arguments(folder, parameters)["mounts"]
    assert [mount["Source"] for mount in mounts] == [parameters["checkpoints"]]


def test_kfp_takes_the_arguments_and_outputs_are_writable_for_the_containers(folder, parameters):
    # kfp refuses names that it does not know, and it mounts the outputs as they are.
    made = docker_engine.runner(folder, parameters)
    assert made.container_run_args["network_mode"] == "none"
    owner = docker_engine.IMAGE_USER if os.getuid() == 0 else os.getuid()
    assert {(folder / name).stat().st_uid for name in ("kfp", "checkpoints")} == {owner}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "hf://danielaivanova/damaged-media"}, ("no network", "hf://danielaivanova/damaged-media", "folder")),
        ({"checkpoints": "s3://bucket/checkpoints"}, ("no network", "s3://bucket/checkpoints", "folder")),
        ({"recipe": "standard"}, ("ImageNet", "--set train.pretrained=none")),
        ({"train_settings": json.dumps({"pretrained": "imagenet"})}, ("ImageNet", "--set train.pretrained=none")),
    ],
)
def test_a_run_that_would_need_the_network_is_refused_before_anything_is_made(changes, words):
    with pytest.raises(UsageError) as caught:
        docker_engine.check({**SAMPLE, **changes})
    assert [word for word in words if word not in str(caught.value)] == []


def test_no_engine_is_said_with_its_address_and_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nowhere'}")
    with pytest.raises(UsageError) as caught:
        docker_engine.check(SAMPLE)
    message = str(caught.value)
    assert len(message.splitlines()) == 2
    assert [word for word in (str(tmp_path / "nowhere"), "DOCKER_HOST", "--engine subprocess") if word not in message] == []


def test_a_missing_image_is_said_with_its_name_and_the_build_command(engine):
    engine()
    with pytest.raises(UsageError, match=r"no image docker\.io/patina/data:.*images/build\.sh"):
        docker_engine.check(SAMPLE)


def test_a_rootless_engine_is_refused(engine):
    # Its user 10001 is another user of this machine, who cannot write into the run's folder: every stage would fail.
    engine("name=seccomp,profile=default", "name=rootless")
    with pytest.raises(UsageError, match="rootless"):
        docker_engine.check(SAMPLE)


def finish(folder: Path, name: str, state: str = "succeeded") -> Path:
    """Leaves what the stage `name` and kfp's executor leave beside its output; returns the output."""
    task = folder / "kfp" / "benchmark" / name
    output = task / "out"
    output.mkdir(parents=True)
    stage, _, label = name.partition("-")
    (task / STATE).write_text(json.dumps({"stage": stage, "label": label or None, "state": state, "pid": 1, "started": 0.0}))
    artifacts = {"out": {"artifacts": [{"name": "out", "uri": str(output)}]}}
    (task / "executor_output.json").write_text(json.dumps({"artifacts": artifacts}))
    return output


@pytest.fixture
def finished(folder, parameters):
    """Output of every stage of a run that went well."""
    return {name: finish(folder, name) for name in watch.expected_stages(parameters)}


def test_a_run_whose_stages_all_succeeded_is_finished(folder, parameters, finished):
    assert len(finished) == 7
    assert docker_engine.unfinished(folder, parameters) == []


@pytest.mark.parametrize("missing", ["out", "executor_output.json", STATE])
def test_a_stage_that_left_not_all_is_unfinished_whatever_kfp_says(folder, parameters, finished, missing):
    # kubeflow/pipelines#13332: a container that was removed before its exit code was asked for counts as a success.
    path = finished["split"].parent / missing
    path.rmdir() if path.is_dir() else path.unlink()
    assert docker_engine.unfinished(folder, parameters) == ["split"]


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_stage_that_did_not_say_that_it_succeeded_is_unfinished(folder, parameters, finished, state):
    path = finished["compare"].parent / STATE
    path.write_text(json.dumps({**json.loads(path.read_text()), "state": state}))
    assert docker_engine.unfinished(folder, parameters) == ["compare"]
