"""The manifests and the pods of a run before a real Kubernetes API server: schemas, Pod Security, limits, quotas, roles."""

import json
import re
from pathlib import Path

import pytest
from pods import data_pod, training_pod, with_security

from patina.models.architectures import STANDARD
from patina_pipelines.resources import Pool, pool

MANIFESTS = Path(__file__).parents[2] / "manifests"
FOLDERS = ["base", *sorted(f"overlays/{path.name}" for path in (MANIFESTS / "overlays").iterdir())]
DRY_RUN = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
RUNNER, SUBMITTER, NOBODY = "patina-runner", "patina-submitter", "default"


def dry_run(cluster, pod):
    return cluster.run("create", "--dry-run=server", "--validate=strict", "-f", "-", given=json.dumps(pod))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_server_accepts_every_object(cluster, render, objects, folder):
    answers = cluster.must(*DRY_RUN, given=render(folder)).splitlines()
    assert len(answers) == len(objects(folder))
    assert [line for line in answers if not line.endswith("(server dry run)")] == []


def test_the_server_accepts_the_example_of_an_external_secret(cluster):
    answer = cluster.must(*DRY_RUN, given=(MANIFESTS / "examples" / "external-secret.yaml").read_text())
    assert "externalsecret.external-secrets.io/patina-s3 created" in answer


@pytest.mark.parametrize(
    ("folder", "right", "wrong"),
    [
        ("base", "automountServiceAccountToken", "automountServiceAcountToken"),
        ("base", "policyTypes", "policyType"),
        ("overlays/kueue", "nominalQuota", "nominalQuotas"),
        ("overlays/kueue", "cohortName", "cohort"),
    ],
)
def test_a_misspelt_field_is_refused(cluster, render, folder, right, wrong):
    done = cluster.run(*DRY_RUN, given=re.sub(rf"\b{right}:", f"{wrong}:", render(folder)))
    assert done.returncode != 0
    assert re.search(rf'unknown field "[\w.\[\]]*{wrong}"', done.stderr)


@pytest.mark.parametrize(
    "pod",
    [data_pod(), *(training_pod(pool(name, pools)) for name in STANDARD[:1] for pools in ("cpu", "gpu"))],
    ids=["data stage", "training on CPUs", "training on a GPU"],
)
def test_pods_as_kfp_makes_them_are_admitted_where_restricted_is_enforced(cluster, pod):
    done = dry_run(cluster, pod)
    assert (done.returncode, done.stderr) == (0, "")


def test_shared_memory_for_data_loaders_is_admitted(cluster):
    volumes = [*data_pod()["spec"]["volumes"], {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert dry_run(cluster, training_pod(Pool(), volumes=volumes)).returncode == 0


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (with_security(data_pod(), runAsUser=0), "runAsUser=0"),
        (with_security(data_pod(), runAsNonRoot=None), "runAsNonRoot != true"),
        (with_security(data_pod(), allowPrivilegeEscalation=None), "allowPrivilegeEscalation != false"),
        (with_security(data_pod(), capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "unrestricted capabilities"),
        (with_security(data_pod(), seccompProfile={"type": "Unconfined"}), "seccompProfile"),
        (with_security(data_pod(), privileged=True, allowPrivilegeEscalation=True), "privileged"),
        (data_pod(hostNetwork=True), "host namespaces"),
        (data_pod(volumes=[*data_pod()["spec"]["volumes"], {"name": "host", "hostPath": {"path": "/"}}]), "restricted volume types"),
    ],
    ids=["root", "root if the image says so", "escalation", "capability", "seccomp", "privileged", "host network", "host path"],
)
def test_a_pod_that_asks_for_more_is_refused(cluster, pod, reason):
    done = dry_run(cluster, pod)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr
    assert reason in done.stderr


def test_a_training_that_asks_for_less_memory_than_it_may_use_keeps_its_own_limit_and_its_sidecars_get_the_default(cluster):
    done = cluster.must("create", "--dry-run=server", "-o", "json", "-f", "-", given=json.dumps(training_pod(Pool(memory="4Gi"))))
    containers = {each["name"]: each["resources"] for each in json.loads(done)["spec"]["containers"]}
    assert containers["main"]["limits"]["memory"] == "4Gi"
    assert containers["wait"]["requests"] == {"cpu": "100m", "memory": "256Mi"}


def test_the_standard_trainings_fit_into_the_quota_together_and_one_more_is_refused(cluster):
    try:
        for number, name in enumerate(STANDARD):
            cluster.must("create", "-f", "-", given=json.dumps(training_pod(pool(name, "gpu"), f"train-{number}")))
        done = dry_run(cluster, training_pod(pool(STANDARD[0], "gpu"), "one-too-many"))
        assert done.returncode != 0
        assert "exceeded quota: patina, requested: requests.nvidia.com/gpu=1" in done.stderr
    finally:
        cluster.must("delete", "pods", "--all", "-n", "patina", "--force", "--grace-period=0")
        cluster.accept_quota("patina", "patina")


@pytest.mark.parametrize(
    ("account", "verb", "what", "allowed"),
    [
        # what the pods of a run do
        (RUNNER, "create", "workflowtaskresults.argoproj.io", True),
        (RUNNER, "patch", "workflowtaskresults.argoproj.io", True),
        (RUNNER, "get", "configmaps/kfp-launcher", True),
        (RUNNER, "get", "secrets/patina-s3", True),
        (RUNNER, "get", "pods", True),
        # what an intruder in one of them would try
        (RUNNER, "get", "secrets", False),
        (RUNNER, "list", "secrets", False),
        (RUNNER, "get", "secrets/patina-s3 -n kubeflow", False),
        (RUNNER, "update", "configmaps/kfp-launcher", False),
        (RUNNER, "list", "configmaps", False),
        (RUNNER, "delete", "workflowtaskresults.argoproj.io", False),
        (RUNNER, "create", "workflows.argoproj.io", False),
        (RUNNER, "list", "pods", False),
        (RUNNER, "create", "pods", False),
        (RUNNER, "delete", "pods", False),
        (RUNNER, "get", "pods --subresource=log", False),
        (RUNNER, "create", "pods --subresource=exec", False),
        (RUNNER, "create", "serviceaccounts --subresource=token", False),
        (RUNNER, "create", "rolebindings.rbac.authorization.k8s.io", False),
        (RUNNER, "create", "runs.pipelines.kubeflow.org", False),
        (RUNNER, "delete", "namespaces/patina", False),
        (RUNNER, "list", "nodes", False),
        # what submit and schedule ask of KFP
        (SUBMITTER, "create", "pipelines.pipelines.kubeflow.org", True),
        (SUBMITTER, "create", "pipelines.pipelines.kubeflow.org --subresource=versions", True),
        (SUBMITTER, "create", "experiments.pipelines.kubeflow.org", True),
        (SUBMITTER, "create", "runs.pipelines.kubeflow.org", True),
        (SUBMITTER, "get", "runs.pipelines.kubeflow.org", True),
        (SUBMITTER, "readArtifact", "runs.pipelines.kubeflow.org", True),
        (SUBMITTER, "terminate", "runs.pipelines.kubeflow.org", True),
        (SUBMITTER, "create", "jobs.pipelines.kubeflow.org", True),
        (SUBMITTER, "disable", "jobs.pipelines.kubeflow.org", True),
        # what a leaked token of CI must not open
        (SUBMITTER, "delete", "runs.pipelines.kubeflow.org", False),
        (SUBMITTER, "delete", "pipelines.pipelines.kubeflow.org", False),
        (SUBMITTER, "create", "runs.pipelines.kubeflow.org -n kubeflow", False),
        (SUBMITTER, "get", "secrets/patina-s3", False),
        (SUBMITTER, "create", "pods", False),
        (SUBMITTER, "create", "workflows.argoproj.io", False),
        (SUBMITTER, "create", "jobs.batch", False),
        (SUBMITTER, "create", "serviceaccounts --subresource=token", False),
        (SUBMITTER, "impersonate", "serviceaccounts", False),
        # a pod that names no account
        (NOBODY, "get", "secrets/patina-s3", False),
        (NOBODY, "create", "workflowtaskresults.argoproj.io", False),
        (NOBODY, "get", "pods", False),
    ],
)
def test_every_account_may_do_its_work_and_nothing_else(cluster, account, verb, what, allowed):
    where = () if " -n " in what else ("-n", "patina")
    done = cluster.run("auth", "can-i", verb, *what.split(), *where, f"--as=system:serviceaccount:patina:{account}")
    assert done.stdout.split()[0] == ("yes" if allowed else "no")
