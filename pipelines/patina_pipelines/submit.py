"""`patina submit`: a run on a cluster, from the compiled file to its end.

A version of the pipeline is found by the digest of its file, so that the same file is uploaded once however often it is submitted.
Nothing is sent twice: after a failure that leaves open whether a request was carried out, the next try looks first.
"""

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kfp_server_api import ApiException, V2beta1Pipeline, V2beta1Run

from patina.core.errors import Interrupted, StageFailed, UsageError
from patina_pipelines import cluster_stages, compiled
from patina_pipelines.cluster import Backend
from patina_pipelines.cluster_stages import Stage

_LARGEST_PARAMETER = 10_000  # bytes; the backend's default limit
_LOG_LINES_READ = 400
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w+(?:: |$)")
_NO_NODE = "a pod that no node can take, or an image that cannot be pulled, leaves a run RUNNING for ever"


@dataclass(frozen=True)
class Package:
    """A compiled pipeline."""

    name: str
    version: str
    """`sha256-` and 12 digits of the digest of the file's bytes."""
    content: bytes
    parameters: frozenset[str]
    stages: cluster_stages.Names


@dataclass(frozen=True)
class Waiting:
    """How a run is followed."""

    deadline: float = 1_440.0
    """Minutes from now until patience ends; the run itself goes on."""
    poll_seconds: float = 5.0
    """Time between two questions."""
    hint_minutes: float = 10.0
    """A stage that has waited so long for a node is pointed out once."""
    cancel_on_interrupt: bool = False
    """Whether Ctrl-C ends the run, too."""


def package(pipeline: str) -> Package:
    """The compiled pipeline: a name is compiled now with the default options, a path to a YAML file is taken as it is.

    Raises:
        UsageError: there is no such pipeline, or the file is no compiled pipeline.
    """
    if pipeline.endswith((".yaml", ".yml")):
        try:
            content = Path(pipeline).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {pipeline}: {error.strerror}. Write it with `patina compile`, or name a pipeline.") from error
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pipeline.yaml"
            compiled.compile_pipeline(pipeline, path)
            content = path.read_bytes()
    try:
        spec: Any = next(yaml.load_all(content, _YAML))
        parameters = frozenset(spec["root"].get("inputDefinitions", {}).get("parameters", {}))
        version = f"sha256-{hashlib.sha256(content).hexdigest()[:12]}"
        return Package(spec["pipelineInfo"]["name"], version, content, parameters, cluster_stages.names(spec))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise UsageError(f"{pipeline} is no compiled pipeline ({type(error).__name__}). Write it with `patina compile`.") from error


def check_arguments(arguments: dict[str, Any], what: Package) -> None:
    """Refuses arguments that the backend would refuse, or that it would ignore.

    Raises:
        UsageError: an unknown parameter, or a value above the backend's limit.
    """
    for name, value in arguments.items():
        if name not in what.parameters:
            raise UsageError(f"pipeline {what.name} has no parameter {name!r}. Parameters: {', '.join(sorted(what.parameters))}.")
        size = len(json.dumps(value).encode())
        if size > _LARGEST_PARAMETER:
            raise UsageError(f"parameter {name!r} has {size} bytes, but a backend takes at most {_LARGEST_PARAMETER}. Make it shorter.")


def version_on(backend: Backend, what: Package) -> tuple[str, str]:
    """Ids of the pipeline and of its version with the bytes of `what`; uploads what is missing."""
    chosen = {"namespace": backend.login.namespace} if backend.login.namespace else {}

    def find_pipeline() -> str | None:
        found = backend.client.list_pipelines(filter=equals(what.name), **chosen).pipelines or []
        return found[0].pipeline_id if found else None

    def create_pipeline() -> str:
        # the client can only create a pipeline together with a first version, whose name would not be a digest
        pipeline = V2beta1Pipeline(display_name=what.name, name=what.name, **chosen)
        return backend.client._pipelines_api.pipeline_service_create_pipeline(pipeline).pipeline_id

    pipeline_id = _find_or_make(backend, find_pipeline, create_pipeline)

    def find_version() -> str | None:
        found = backend.client.list_pipeline_versions(pipeline_id, filter=equals(what.version)).pipeline_versions or []
        return found[0].pipeline_version_id if found else None

    def upload_version() -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{what.name}.yaml"
            path.write_bytes(what.content)
            return backend.client.upload_pipeline_version(str(path), what.version, pipeline_id=pipeline_id).pipeline_version_id

    return pipeline_id, _find_or_make(backend, find_version, upload_version)


def experiment_on(backend: Backend, name: str) -> str:
    """Id of the experiment called `name`; creates it if there is none."""

    def make() -> str:
        return backend.client.create_experiment(name, namespace=backend.login.namespace).experiment_id  # looks for it first

    return backend.ask(lambda: _unless_conflict(make) or make())


def create_run(
    backend: Backend,
    what: Package,
    arguments: dict[str, Any],
    *,
    experiment: str,
    run_name: str | None = None,
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> str:
    """Creates a run and returns its id.

    Raises:
        UsageError, StorageError: as `Backend.ask`.
    """
    check_arguments(arguments, what)
    pipeline_id, version_id = version_on(backend, what)
    experiment_id = experiment_on(backend, experiment)
    name = run_name or f"{what.name} {datetime.now(UTC):%Y-%m-%d %H-%M-%S}"

    def so_called() -> set[str]:
        found = backend.client.list_runs(experiment_id=experiment_id, filter=equals(name), sort_by="created_at desc", page_size=100)
        return {run.run_id for run in found.runs or ()}

    before = backend.ask(so_called)

    def create() -> str:
        return backend.client.run_pipeline(
            experiment_id=experiment_id,
            job_name=name,
            params=arguments,
            pipeline_id=pipeline_id,
            version_id=version_id,
            pipeline_root=pipeline_root,
            service_account=service_account,
        ).run_id

    return backend.ask(create, again=lambda: next(iter(so_called() - before), None) or create())


def follow(backend: Backend, run_id: str, known: cluster_stages.Names, waiting: Waiting, say: Callable[[str], None]) -> V2beta1Run:
    """Says every change of a run's stages until it ends well.

    Raises:
        StageFailed: it ended otherwise, or the deadline passed; the message names stage, reason and log.
        Interrupted: Ctrl-C.
        StorageError: the backend stayed out of reach until the deadline, or refused the login.
    """
    until = time.monotonic() + 60.0 * waiting.deadline
    try:
        return _follow(backend, run_id, known, waiting, say, until)
    except KeyboardInterrupt:
        if waiting.cancel_on_interrupt:
            backend.ask(lambda: backend.client.terminate_run(run_id))
            raise Interrupted(f"stopped, and the run is cancelled. {backend.login.link(run_id)}") from None
        words = f"stopped; the run goes on. Follow it with: patina submit --follow {run_id}."
        raise Interrupted(f"{words} {backend.login.link(run_id)}") from None


def _follow(
    backend: Backend, run_id: str, known: cluster_stages.Names, waiting: Waiting, say: Callable[[str], None], until: float
) -> V2beta1Run:
    shown: dict[tuple[str, int | None], str] = {}
    since: dict[tuple[str, int | None], float] = {}
    while True:
        run: V2beta1Run = backend.ask(lambda: backend.client.get_run(run_id), until=until)
        found, items, now = cluster_stages.stages(run, known), _items(run), time.monotonic()
        for stage in found:
            key = (stage.name, stage.iteration)
            if shown.get(key) != stage.state:
                shown[key], since[key] = stage.state, now
                say(f"{datetime.now():%H:%M:%S}  {stage.label(items):<32}  {stage.state}")
            elif stage.state == "PENDING" and now - since[key] > 60.0 * waiting.hint_minutes:
                since[key] = float("inf")
                say(f"{stage.label(items)} has waited {waiting.hint_minutes:g} minutes for a node; it asks for {asked(stage, items)}.")
        if run.state == "SUCCEEDED":
            return run
        if run.state in cluster_stages.ENDED:
            raise StageFailed(f"{sentence(backend, run, found)}\n{backend.login.link(run_id)}")
        if now > until:
            raise StageFailed(_overdue(backend, run, found, waiting))
        time.sleep(waiting.poll_seconds)


def sentence(backend: Backend, run: V2beta1Run, found: list[Stage]) -> str:
    """Why a run ended badly, in one line: the failed stages, the first one's reason, and where its log is."""
    items, broken = _items(run), cluster_stages.failed(found)
    if not broken:
        words = " ".join(run.error.message.split()) if run.error and run.error.message else "the backend gives no reason"
        return f"the run ended {run.state}: {words[:300]}"
    first = broken[0]
    log = f"kubectl logs {f'-n {backend.login.namespace} ' if backend.login.namespace else ''}-l pipeline/runid={run.run_id} -c main"
    reason = _last_words(backend, str(run.run_id), first) or first.reason or "no reason given; out of memory leaves none"
    also = f" Failed, too: {', '.join(stage.label(items) for stage in broken[1:])}." if broken[1:] else ""
    return f"{first.label(items)} {run.state}: {reason[:400].rstrip('.')}.{also} Log: {log}"


def asked(stage: Stage, items: list[dict[str, Any]]) -> str:
    """What a stage's pod asks of a node."""
    if stage.iteration is None or stage.iteration >= len(items):
        return "what the pipeline gives it"
    item = items[stage.iteration]
    selector = " ".join(f"{key}={value}" for key, value in sorted(item.get("node_selector", {}).items())) or "any node"
    count = str(item.get("accelerator_count", "0"))
    accelerator = "" if count == "0" else f", {count} {item.get('accelerator_type')}"
    return f"{selector}{accelerator}, {item.get('cpu')} CPU, {item.get('memory')} of memory"


def equals(name: str) -> str:
    """The backend's filter for objects called `name`."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _overdue(backend: Backend, run: V2beta1Run, found: list[Stage], waiting: Waiting) -> str:
    items = _items(run)
    open_ones = [stage for stage in found if stage.state in ("PENDING", "RUNNING")]
    wanted = [f"{stage.label(items)} is {stage.state} and asks for {asked(stage, items)}" for stage in open_ones]
    what = "; ".join(wanted) or "no stage has begun"
    return (
        f"still {run.state or 'PENDING'} after {waiting.deadline:g} minutes: {what}. The run goes on; {_NO_NODE}.\n"
        f"Look with: kubectl get pods -l pipeline/runid={run.run_id}. {backend.login.link(str(run.run_id))}"
    )


def _last_words(backend: Backend, run_id: str, stage: Stage) -> str:
    """The line of a stage's log that names its error, or nothing if there is no log to be had."""
    text = ""
    for pod in stage.pods():
        with suppress(ApiException, urllib3.exceptions.HTTPError):  # no such pod, or gone; the message says where else to look
            text = backend.log(run_id, pod)
        if text:
            break
    lines = [line.strip() for line in text.splitlines()[-_LOG_LINES_READ:] if line.strip()]
    errors = [line for line in lines if _EXCEPTION.match(line)]  # below it stand the launcher's lines, which say less
    return " ".join((errors or lines or [""])[-1].removeprefix("patina.core.errors.").split())


def _items(run: V2beta1Run) -> list[dict[str, Any]]:
    parameters = (run.runtime_config and run.runtime_config.parameters) or {}
    items = parameters.get("architectures")
    return items if isinstance(items, list) else []


def _find_or_make(backend: Backend, find: Callable[[], str | None], make: Callable[[], str]) -> str:
    def found_or_made() -> str:
        return find() or _unless_conflict(make) or find() or make()

    return backend.ask(found_or_made)


def _unless_conflict(make: Callable[[], str]) -> str | None:
    """What `make` made, or None if somebody else made it in the same moment."""
    try:
        return make()
    except ApiException as error:
        if error.status == 409:
            return None
        raise
