"""Pods as KFP 2.17 and Argo make them for the tasks of a run, as far as the API server's admission looks at them."""

from typing import Any

from patina_pipelines.resources import DATA_CPU, DATA_MEMORY, Pool

IMAGE = "registry.example.org/patina/torch@sha256:" + "0" * 64
SCRATCH = ("kfp-launcher", "gcs-scratch", "s3-scratch", "minio-scratch", "dot-local-scratch", "dot-cache-scratch", "dot-config-scratch")

# Set by KFP on the containers of tasks. `runAsNonRoot` is set only where the backend's default or the pipeline says so.
TASK_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
    "runAsNonRoot": True,
}
# Set by Argo on its own containers.
ARGO_SECURITY = {**TASK_SECURITY, "privileged": False, "readOnlyRootFilesystem": True, "runAsUser": 8737}


def pod(name: str, stage: str, resources: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A task's pod: Argo's and KFP's init containers, the stage itself, Argo's sidecar. `spec` replaces fields of the specification."""
    own = {"name": "main", "image": IMAGE, "command": ["/kfp-launcher/launch"], "securityContext": TASK_SECURITY, "resources": resources}
    mounts = [{"name": volume, "mountPath": f"/{volume}"} for volume in SCRATCH]
    argo = {"image": "quay.example.org/argoexec:v4.0.5", "securityContext": ARGO_SECURITY}
    launcher = {"name": "kfp-launcher", "image": "registry.example.org/kfp-launcher:2.17.0", "securityContext": TASK_SECURITY}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "patina",
            "labels": {"pipelines.kubeflow.org/v2_component": "true", "patina.io/stage": stage},
        },
        "spec": {
            "serviceAccountName": "patina-runner",
            "restartPolicy": "Never",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [{"name": "init", **argo}, launcher],
            "containers": [{**own, "volumeMounts": mounts}, {"name": "wait", **argo}],
            "volumes": [{"name": volume, "emptyDir": {}} for volume in SCRATCH],
        }
        | spec,
    }


def data_pod(name: str = "split", **spec: Any) -> dict[str, Any]:
    """The pod of a data stage, with the requests that the benchmark gives it."""
    return pod(name, "split", {"requests": {"cpu": DATA_CPU, "memory": DATA_MEMORY}}, **spec)


def training_pod(where: Pool, name: str = "train", **spec: Any) -> dict[str, Any]:
    """The pod of a training in the pool `where`."""
    amounts = {"cpu": where.cpu, "memory": where.memory}
    limits = {**amounts, where.accelerator_type: where.accelerator_count}
    return pod(
        name, "train", {"requests": amounts, "limits": limits}, nodeSelector=where.node_selector, tolerations=where.tolerations, **spec
    )


def with_security(changed: dict[str, Any], **security: Any) -> dict[str, Any]:
    """The pod with other security settings of the stage's container; None takes one away."""
    stage, *others = changed["spec"]["containers"]
    context = {key: value for key, value in {**stage["securityContext"], **security}.items() if value is not None}
    return {**changed, "spec": {**changed["spec"], "containers": [{**stage, "securityContext": context}, *others]}}
