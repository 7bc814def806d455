"""The engine `docker`: every stage in a container of the project's images, confined as on a cluster.

The containers have no network, no capabilities, a read-only root and a user that is not root. What they need from outside is
mounted: the run's outputs and checkpoints to write, a data folder to read. They see no GPU.
"""

import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patina.core import containers, provenance, storage
from patina.core.errors import UsageError
from patina.train.recipes import recipe
from patina_pipelines import watch

if TYPE_CHECKING:
    from kfp.local import DockerRunner

RUN_LABEL = "patina.run"
"""Label of every container with its run's id: it is how a run that is stopped finds them."""
IMAGE_USER = 10001
"""User and group in place of root; the images' own."""
CONFINED: dict[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": ""},  # noqa: S108 - a mount point of the container: the only folder that is writable beside the outputs
    "environment": {"HOME": "/tmp"},  # noqa: S108 - likewise: libraries keep their caches there
    "shm_size": "8g",  # an upper bound for what data loaders hand over; Docker's own is 64 MB
}
_ASK_FOR_CODE = ["python3", "-c", "from patina.core import provenance; print(provenance.source_digest())"]
_TERMINATE_ALL = ["sh", "-c", "kill -TERM -1"]  # a signal to a container reaches only its first process, which is a shell


def check(parameters: dict[str, Any]) -> None:
    """Looks before anything is made whether a run with these pipeline arguments can work here.

    Raises:
        UsageError: it would need the network, no engine answers, or an image is missing or holds other code.
    """
    for name in ("data", "checkpoints"):
        if "://" in (place := str(parameters.get(name))):
            raise UsageError(
                f"containers of --engine docker have no network and cannot reach {name} {place}. Take a folder of this machine."
            )
    changes = json.loads(parameters["train_settings"])
    if changes.get("pretrained", recipe(parameters["recipe"]).pretrained) != "none":
        raise UsageError("containers of --engine docker have no network to fetch ImageNet weights. Add --set train.pretrained=none.")
    images()


def images() -> dict[str, str]:
    """Reference in the code (`patina.core.containers`) -> reference of the same image that never changes its meaning.

    kfp.local's cache key knows an image only by its reference, so the image gets a tag that carries its id. It must hold the code
    that is installed here: an old image under a new pipeline is a fault that no log shows.

    Raises:
        UsageError: no engine answers, or an image is missing or holds other code.
    """
    from docker import errors

    pinned: dict[str, str] = {}
    with _client() as client:
        for reference in (containers.DATA, containers.TORCH):
            repository = reference.removeprefix("docker.io/").rpartition(":")[0]  # the engine lists its images without that host
            try:
                image = client.images.get(reference)
                output = client.containers.run(image.id, _ASK_FOR_CODE, remove=True, user=_user(), **CONFINED)
            except errors.ImageNotFound as error:
                raise UsageError(f"the Docker engine has no image {reference}. Build it: images/build.sh.") from error
            except errors.ContainerError as error:
                raise UsageError(
                    f"image {reference} does not start patina (exit {error.exit_status}). Build it: images/build.sh."
                ) from error
            code = output.decode().strip()
            if code != provenance.source_digest():
                here = provenance.source_digest()[:12]
                raise UsageError(f"image {reference} holds code {code[:12]}, here is {here}. Build it again: images/build.sh.")
            tag = f"id-{image.id.removeprefix('sha256:')[:16]}"
            image.tag(repository, tag)
            pinned[reference] = f"{repository}:{tag}"
    return pinned


def run_arguments(folder: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Arguments of docker-py's `containers.run` for every stage of the run in `folder`; kfp adds the mount of the outputs."""
    from docker.types import Mount

    writable = [str(parameters["checkpoints"])]
    readable = [] if parameters["data"] == "sample" else [str(parameters["data"])]
    mounts = [Mount(path, path, type="bind") for path in writable] + [Mount(path, path, type="bind", read_only=True) for path in readable]
    return {**CONFINED, "user": _user(), "mounts": mounts, "labels": {RUN_LABEL: folder.name}}


def runner(folder: Path, parameters: dict[str, Any]) -> "DockerRunner":
    """The runner of kfp for the run in `folder`, whose outputs become writable for the containers."""
    from kfp import local

    if os.getuid() == 0:
        for path in (folder / "kfp", Path(parameters["checkpoints"])):
            os.chown(path, IMAGE_USER, IMAGE_USER)
    return local.DockerRunner(**run_arguments(folder, parameters))


def stop(run_id: str, grace_seconds: float) -> None:
    """Ends the containers of a run: a request to each process, then force for what is left after `grace_seconds`.

    The run's engine must be suspended or gone, so that it starts no others.

    Raises:
        UsageError: no engine answers.
    """
    with _client() as client:
        deadline = time.monotonic() + grace_seconds
        for container in _of_run(client, run_id):
            with _gone():
                container.exec_run(_TERMINATE_ALL)
        while any(container.status == "running" for container in _of_run(client, run_id)) and time.monotonic() < deadline:
            time.sleep(0.2)
        for container in _of_run(client, run_id):
            with _gone():
                container.remove(force=True)


def unfinished(folder: Path, parameters: dict[str, Any]) -> list[str]:
    """Stages of the run in `folder` that did not say that they succeeded, or whose outputs are not there.

    kfp's DockerRunner takes a container that vanished before its exit code was asked for as a success (kubeflow/pipelines#13332).
    """
    states = watch.stage_states(folder)
    return [
        name
        for name in watch.expected_stages(parameters)
        if name not in states or states[name][1].state != "succeeded" or not _has_outputs(states[name][0])
    ]


def _has_outputs(task: Path) -> bool:
    record = task / "executor_output.json"
    if not record.is_file():
        return False
    outputs = storage.read_json(record).get("artifacts", {}).values()
    return all(Path(artifact["uri"]).exists() for output in outputs for artifact in output["artifacts"])


def _user() -> str:
    """The containers are the person's own processes, whose outputs belong to that person; root becomes the images' user."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() != 0 else f"{IMAGE_USER}:{IMAGE_USER}"


@contextmanager
def _client() -> Generator[Any]:
    import docker
    from docker import errors

    try:
        client = docker.from_env()
        rootless = any("rootless" in option for option in client.info().get("SecurityOptions") or [])
    except errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST", "its usual socket")
        reason = str(error).splitlines()[0][:160]
        raise UsageError(
            f"no Docker engine answers at {where}: {reason}\nStart it, set DOCKER_HOST, or take --engine subprocess."
        ) from error
    try:
        if rootless:
            raise UsageError("the Docker engine is rootless: its unprivileged users cannot write outputs here. Take --engine subprocess.")
        yield client
    finally:
        client.close()


def _of_run(client: Any, run_id: str) -> list[Any]:
    return client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={run_id}"}, ignore_removed=True)


@contextmanager
def _gone() -> Generator[None]:
    from docker import errors

    try:
        yield
    except errors.APIError as error:
        if error.status_code not in (404, 409):  # 404 gone, 409 not running or already being removed: what was wanted
            raise
