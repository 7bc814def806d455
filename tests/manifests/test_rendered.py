"""What stands in the rendered manifests, and whether it agrees with the code."""

import re
from pathlib import Path

import pytest

from patina.models.architectures import ARCHITECTURES, STANDARD, family
from patina_pipelines.resources import DATA_MEMORY, POOL_LABEL, pool

MANIFESTS = Path(__file__).parents[2] / "manifests"
README = (MANIFESTS / "README.md").read_text()
FOLDERS = ["base", *sorted(f"overlays/{path.name}" for path in (MANIFESTS / "overlays").iterdir())]
CLUSTER_SCOPED = {"Namespace", "PriorityClass", "ResourceFlavor", "ClusterQueue", "WorkloadPriorityClass"}
GPU_POOLS = {name: pool(name, "gpu") for name in ARCHITECTURES}
SUFFIXES = {"": 1.0, "m": 1e-3, "Mi": 2.0**20, "Gi": 2.0**30}
SIDECARS = 3
"""Containers beside the stage's in a task's pod: two that initialise it and one that waits."""


def amount(quantity: str) -> float:
    """A quantity of Kubernetes in cores, bytes or pieces."""
    number, suffix = re.fullmatch(r"([\d.]+)(\D*)", quantity).groups()
    return float(number) * SUFFIXES[suffix]


def of_kind(objects, kind):
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def sidecar_requests(objects):
    return of_kind(objects, "LimitRange")["patina"]["spec"]["limits"][0]["defaultRequest"]


@pytest.mark.parametrize(("quantity", "expected"), [("8", 8), ("100m", 0.1), ("256Mi", 2**28), ("1.5Gi", 1.5 * 2**30)])
def test_quantities_are_read_as_kubernetes_reads_them(quantity, expected):
    assert amount(quantity) == pytest.approx(expected)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_manifest_carries_a_secret(objects, folder):
    assert [each["metadata"]["name"] for each in objects(folder) if each["kind"] == "Secret"] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_names_its_namespace_so_that_none_lands_where_kubectl_happens_to_stand(objects, folder):
    expected = "kubeflow" if folder.endswith("dev") else "patina"
    found = {each["metadata"].get("namespace", "") for each in objects(folder) if each["kind"] not in CLUSTER_SCOPED}
    assert found == {expected}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_role_uses_a_wildcard_or_reaches_beyond_its_namespace(objects, folder):
    kinds = {each["kind"] for each in objects(folder)}
    rules = [rule for role in of_kind(objects(folder), "Role").values() for rule in role["rules"]]
    assert rules
    assert kinds.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    assert [rule for rule in rules if "*" in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}] == []


def test_the_secret_that_kfp_is_told_to_read_is_the_one_that_the_role_allows_and_that_the_readme_makes(objects):
    import yaml

    launcher = of_kind(objects("base"), "ConfigMap")["kfp-launcher"]["data"]
    wanted = yaml.safe_load(launcher["providers"])["s3"]["default"]["credentials"]["secretRef"]
    [allowed] = [rule for rule in of_kind(objects("base"), "Role")["patina-runner"]["rules"] if rule["resources"] == ["secrets"]]
    made = yaml.safe_load((MANIFESTS / "examples" / "external-secret.yaml").read_text())["spec"]
    assert allowed["resourceNames"] == [wanted["secretName"]] == [made["target"]["name"]]
    assert {wanted["accessKeyKey"], wanted["secretKeyKey"]} == {each["secretKey"] for each in made["data"]}
    assert f"kubectl create secret generic {wanted['secretName']} -n patina" in README


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_pool_of_every_architecture_has_a_flavor_whose_taint_its_pods_tolerate(objects, name):
    flavors = [flavor["spec"] for flavor in of_kind(objects("overlays/kueue"), "ResourceFlavor").values()]
    [flavor] = [spec for spec in flavors if spec.get("nodeLabels") == GPU_POOLS[name].node_selector]
    tolerated = {(each["key"], each["effect"]) for each in GPU_POOLS[name].tolerations if each["operator"] == "Exists"}
    assert {(taint["key"], taint["effect"]) for taint in flavor["nodeTaints"]} <= tolerated


def test_kueue_knows_no_gpu_pool_that_no_architecture_uses(objects):
    flavors = of_kind(objects("overlays/kueue"), "ResourceFlavor").values()
    labels = {flavor["spec"]["nodeLabels"][POOL_LABEL] for flavor in flavors if "nodeLabels" in flavor["spec"]}
    assert labels == {where.node_selector[POOL_LABEL] for where in GPU_POOLS.values()}


@pytest.mark.parametrize("encoders", sorted({family(name) for name in ARCHITECTURES}))
def test_the_readme_says_how_every_provider_labels_and_taints_each_pool(encoders):
    assert f"`gpu-{encoders}`" in README
    label = f"{POOL_LABEL}=gpu-"
    rows = [line for line in README.splitlines() if line.startswith(("| GKE", "| EKS", "| AKS", "| bare metal"))]
    assert len(rows) == 4
    assert [row for row in rows if label not in row or "nvidia.com/gpu=present:NoSchedule" not in row] == []


@pytest.mark.parametrize(("folder", "pools"), [("base", "cpu"), ("overlays/gpu-pools", "gpu")])
def test_the_quota_holds_the_standard_benchmarks_trainings_all_at_once(objects, folder, pools):
    hard = of_kind(objects(folder), "ResourceQuota")["patina"]["spec"]["hard"]
    beside = sidecar_requests(objects(folder))
    wanted = [pool(name, pools) for name in STANDARD]
    assert sum(amount(each.cpu) + amount(beside["cpu"]) * SIDECARS for each in wanted) <= amount(hard["requests.cpu"])
    assert sum(amount(each.memory) + amount(beside["memory"]) * SIDECARS for each in wanted) <= amount(hard["requests.memory"])
    assert sum(amount(each.accelerator_count) for each in wanted) == amount(hard["requests.nvidia.com/gpu"])


@pytest.mark.parametrize("name", STANDARD)
def test_a_pools_queue_holds_one_training_with_its_sidecars(objects, name):
    where = GPU_POOLS[name]
    queue = of_kind(objects("overlays/kueue"), "ClusterQueue")[f"patina-{where.node_selector[POOL_LABEL]}"]["spec"]
    [flavor] = queue["resourceGroups"][0]["flavors"]
    quota = {each["name"]: amount(each["nominalQuota"]) for each in flavor["resources"]}
    beside = sidecar_requests(objects("base"))
    assert amount(where.cpu) + amount(beside["cpu"]) * SIDECARS <= quota["cpu"]
    assert amount(where.memory) + amount(beside["memory"]) * SIDECARS <= quota["memory"]
    assert quota[where.accelerator_type] == amount(where.accelerator_count)


def test_every_queue_covers_its_resources_in_the_order_that_kueue_demands_and_leads_somewhere(objects):
    rendered = objects("overlays/kueue")
    queues, flavors = of_kind(rendered, "ClusterQueue"), of_kind(rendered, "ResourceFlavor")
    groups = [group for queue in queues.values() for group in queue["spec"]["resourceGroups"]]
    listed = [
        (group["coveredResources"], [each["name"] for each in flavor["resources"]]) for group in groups for flavor in group["flavors"]
    ]
    assert [pair for pair in listed if pair[0] != pair[1]] == []
    assert {flavor["name"] for group in groups for flavor in group["flavors"]} == set(flavors)
    assert {queue["spec"]["clusterQueue"] for queue in of_kind(rendered, "LocalQueue").values()} == set(queues)


def test_a_container_without_a_memory_limit_gets_one_above_what_a_data_stage_requests(objects):
    # A default limit below a container's request makes the API server refuse the pod, and the run waits for ever.
    [limit] = of_kind(objects("base"), "LimitRange")["patina"]["spec"]["limits"]
    assert amount(limit["default"]["memory"]) >= amount(DATA_MEMORY)


def test_every_pod_starts_without_any_connection_and_only_the_download_stage_reaches_the_internet(objects):
    policies = of_kind(objects("base"), "NetworkPolicy")
    closed = policies.pop("default-deny")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    blocks = {
        name: [peer["ipBlock"]["cidr"] for rule in policy["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer]
        for name, policy in policies.items()
    }
    assert [name for name, cidrs in blocks.items() if {"0.0.0.0/0", "::/0"} & set(cidrs)] == ["allow-hub"]
    [selected] = policies["allow-hub"]["spec"]["podSelector"]["matchExpressions"]
    assert selected == {"key": "patina.io/stage", "operator": "In", "values": ["download"]}
    assert [name for name, policy in policies.items() if "ingress" in policy["spec"]] == []


def test_the_development_overlay_leaves_the_namespace_of_kfp_as_it_is(objects):
    assert {each["kind"] for each in objects("overlays/dev")} == {"ServiceAccount", "Role", "RoleBinding", "PriorityClass"}
