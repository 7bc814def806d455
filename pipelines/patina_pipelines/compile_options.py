"""What Kubeflow Pipelines takes only as literals: settings of `patina compile`, laid over the finished specification of a pipeline.

The pipeline's code knows none of them. Pods get what `manifests/base` asks of them whatever the options are: they refuse root, and
carry their stage as a label, by which the network policy lets only the download reach a hub.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from patina.core import containers, storage
from patina.core.config import Config
from patina.core.errors import DataRefused, UsageError

if TYPE_CHECKING:
    from kfp.dsl.graph_component import GraphComponent

STAGE_LABEL = "patina.io/stage"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
S3_SECRET_FOLDER = "/var/run/secrets/patina-s3"  # noqa: S105 - a folder, where the kubelet puts one file per key
ON_THE_POOL = ("train", "evaluate")
"""Stages that run on the pool of their architecture."""
USING_A_BUCKET = ("download", "train")
"""Stages that read data or keep checkpoints in a bucket."""

_PREFIX = r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?"
_LABEL_KEY = re.compile(_PREFIX + r"[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?")
_NAME = r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"
_QUANTITY = r"^[1-9][0-9]*(?:Mi|Gi)$"
_SECRET_LIKE = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|ACCESS_KEY|API_KEY", re.IGNORECASE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise ValueError(f"{key!r}: {value!r} is no Kubernetes label (letters, digits, '-', '_', '.', at most 63)")
        if key in (STAGE_LABEL, QUEUE_LABEL, PRIORITY_LABEL):
            raise ValueError(f"the label {key!r} is set by an option of its own")
    return labels


def _environment(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if _SECRET_LIKE.search(name):
            raise ValueError(f"{name} sounds like a secret, and whoever reads the pipeline can read it. Use s3_secret")
    return variables


Name = Annotated[str, Field(pattern=_NAME)]


class Timeouts(Config):
    """Minutes that a pod of each stage may run on its node before it is stopped and counts as failed; 0 is no limit.

    The clock starts when a node has taken the pod. A pod that no node takes waits on: that is for `patina submit --deadline`.
    """

    download: int = Field(default=480, ge=0, le=43_200)
    """4 GB from a hub over a slow line."""
    split: int = Field(default=120, ge=0, le=43_200)
    """Pictures are compared with each other."""
    augment: int = Field(default=480, ge=0, le=43_200)
    """Grows with the number of copies."""
    class_weights: int = Field(default=120, ge=0, le=43_200)
    """Counts pixels."""
    train: int = Field(default=4_320, ge=0, le=43_200)
    """Three days: room for the standard preset on CPUs; a training that hangs still ends."""
    evaluate: int = Field(default=480, ge=0, le=43_200)
    """Whole test pictures at native resolution."""
    compare: int = Field(default=120, ge=0, le=43_200)
    """Bootstrap and report."""


class CompileOptions(Config):
    """Everything that `patina compile --set` can change."""

    retries: int = Field(default=2, ge=0, le=10)
    """Times that a failed pod is started again; a training goes on from its checkpoint where one is kept."""
    backoff_seconds: int = Field(default=60, ge=0, le=3_600)
    """Wait before the first retry, in seconds; a node that was taken away needs about a minute to be replaced."""
    backoff_factor: float = Field(default=2.0, ge=1.0, le=10.0)
    """Each further wait is longer by this factor."""
    backoff_max_seconds: int = Field(default=3_600, ge=1, le=86_400)
    """Total time in seconds within which retries are started."""
    timeout_minutes: Timeouts = Timeouts()
    """Limits per stage."""
    shared_memory: str | None = Field(default="2Gi", pattern=_QUANTITY)
    """Size of `/dev/shm` for training and evaluation, in Mi or Gi; counts against their memory. None leaves the runtime's 64 MiB."""
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    """Labels on every pod, for instance {"cost-center": "paintings"}."""
    data_queue: Name | None = None
    """Kueue's local queue of the data stages; None leaves their pods outside of Kueue."""
    training_queue: Name | None = None
    """Kueue's local queue of training and evaluation; None likewise."""
    data_priority: Name | None = None
    """Kueue's WorkloadPriorityClass of the data stages; None is the queue's default."""
    training_priority: Name | None = None
    """Kueue's WorkloadPriorityClass of training and evaluation; None likewise."""
    image_pull_secrets: tuple[Name, ...] = ()
    """Secrets with the registry's credentials."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes fetch an image; pinned references never change, so a cached image is the right one."""
    s3_secret: Name | None = None
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; they become files of download and training (PATINA_S3_SECRET)."""
    environment: Annotated[dict[str, str], AfterValidator(_environment)] = Field(default_factory=dict)
    """Variables of download and training that say where things are, for instance AWS_ENDPOINT_URL or HF_ENDPOINT; never a secret."""


def lay_over(component: "GraphComponent", options: CompileOptions) -> None:
    """Writes `options` into the specification of the pipeline `component`, which is changed in place."""
    from google.protobuf import json_format

    spec = component.pipeline_spec
    labels = {name: part.executor_label for name, part in spec.components.items() if part.executor_label}
    for dag in (spec.root.dag, *(part.dag for part in spec.components.values() if part.HasField("dag"))):
        for task in dag.tasks.values():
            if options.retries and task.component_ref.name in labels:
                json_format.ParseDict(_retry(options), task.retry_policy)
    executors = component.platform_spec.platforms["kubernetes"].deployment_spec.executors
    for label in labels.values():
        stage = label.removeprefix("exec-")
        executors[label].update(_pod(json_format.MessageToDict(executors[label]), stage, options))
        variables = options.environment | ({"PATINA_S3_SECRET": S3_SECRET_FOLDER} if options.s3_secret else {})
        if stage in USING_A_BUCKET and variables:
            container = spec.deployment_spec["executors"][label]["container"]
            container["env"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]


def _retry(options: CompileOptions) -> dict[str, Any]:
    return {
        "maxRetryCount": options.retries,
        "backoffDuration": f"{options.backoff_seconds}s",
        "backoffFactor": options.backoff_factor,
        "backoffMaxDuration": f"{options.backoff_max_seconds}s",
    }


def _pod(present: dict[str, Any], stage: str, options: CompileOptions) -> dict[str, Any]:
    """The Kubernetes settings of a stage's pod: `present` ones of the pipeline's code, and `options`."""
    from google.protobuf import json_format
    from kfp.kubernetes import kubernetes_executor_config_pb2

    messages: Any = kubernetes_executor_config_pb2  # made at run time: type checkers see nothing in it
    pod = json_format.ParseDict(present, messages.KubernetesExecutorConfig())
    pod.security_context.run_as_non_root = True
    pod.image_pull_policy = options.image_pull_policy
    pod.active_deadline_seconds = 60 * getattr(options.timeout_minutes, stage.replace("-", "_"))
    trained = stage in ON_THE_POOL
    queue = options.training_queue if trained else options.data_queue
    priority = options.training_priority if trained else options.data_priority
    set_labels = {STAGE_LABEL: stage, QUEUE_LABEL: queue, PRIORITY_LABEL: priority, **options.labels}
    pod.pod_metadata.labels.update({key: value for key, value in set_labels.items() if value is not None})
    if trained and options.shared_memory:
        pod.empty_dir_mounts.add(volume_name="dshm", mount_path="/dev/shm", medium="Memory", size_limit=options.shared_memory)  # noqa: S108 - a mount point
    for name in options.image_pull_secrets:
        pod.image_pull_secret.add(secret_name=name).secret_name_parameter.runtime_value.constant.string_value = name
    if stage in USING_A_BUCKET and options.s3_secret:
        mount = pod.secret_as_volume.add(secret_name=options.s3_secret, mount_path=S3_SECRET_FOLDER, optional=False)
        mount.secret_name_parameter.runtime_value.constant.string_value = options.s3_secret
    return json_format.MessageToDict(pod)


def pinned_images(registry: str, digests: Path) -> dict[str, str]:
    """Pinned references of the project's images.

    Args:
        registry: host and path under which `data` and `torch` lie, for instance `registry.example.org/patina`.
        digests: the file that `images/build.sh` writes: `{"data": "sha256:…", "torch": "sha256:…"}`.

    Returns:
        Reference in the code (`patina.core.containers`) -> `registry/name@sha256:…`.

    Raises:
        UsageError: the registry is no registry, or the file does not hold both digests.
    """
    if not re.fullmatch(r"[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)*", registry):
        raise UsageError(f"--registry expects a host and a path such as registry.example.org/patina, got {registry!r}.")
    try:
        found = storage.read_json(digests)
    except DataRefused as error:
        raise UsageError(f"--digests: {error}") from error
    images = {"data": containers.DATA, "torch": containers.TORCH}
    wrong = [name for name in images if not isinstance(found, dict) or not _DIGEST.fullmatch(str(found.get(name)))]
    if wrong:
        raise UsageError(f"--digests: {digests} holds no sha256 digest of {' and '.join(wrong)}. Run images/build.sh, which writes it.")
    return {reference: f"{registry}/{name}@{found[name]}" for name, reference in images.items()}
