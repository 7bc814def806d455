"""The report of a run on a cluster comes home from the bucket where the backend put it."""

import kfp_server_api as api
import pytest

from patina.core.bucket import Bucket
from patina.core.errors import StorageError
from patina_pipelines import cluster_report

RUN = "3f1c5a52-8c2e-4d0e-9a62-6d2f0a9b1c77"


def run(root: str | None) -> api.V2beta1Run:
    return api.V2beta1Run(run_id=RUN, runtime_config=api.V2beta1RuntimeConfig(pipeline_root=root))


def test_the_report_is_found_below_the_run_s_own_folder(url, patience, tmp_path):
    bucket = Bucket(url, patience)
    output = f"benchmark/{RUN}/compare/9d0b/comparison"
    for name in ("report.html", "report.md", "summary.json", "manifest.json"):
        bucket.put_bytes(f"{output}/{name}", name.encode())
    bucket.put_bytes("benchmark/another-run/compare/1/comparison/report.html", b"not this one")
    page = cluster_report.fetch(cluster_report.place(run(url), "benchmark", None), tmp_path / "report")
    assert page.read_text() == "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.md", "summary.json"]


def test_a_bucket_without_the_report_says_where_it_looked(url, tmp_path):
    with pytest.raises(StorageError, match=rf"no report\.html below {url}/benchmark/{RUN}/compare"):
        cluster_report.fetch(cluster_report.place(run(url), "benchmark", None), tmp_path)


def test_the_run_s_own_root_comes_before_the_one_that_is_given():
    assert cluster_report.place(run("s3://own/root/"), "benchmark", "s3://given") == f"s3://own/root/benchmark/{RUN}"
    assert cluster_report.place(run(None), "benchmark", "s3://given") == f"s3://given/benchmark/{RUN}"


@pytest.mark.parametrize(("root", "address"), [("minio://ml/v2", "s3://ml/v2"), ("s3://ml/v2?region=x", "s3://ml/v2")])
def test_other_ways_to_write_a_root_are_understood(root, address):
    assert cluster_report.place(run(root), "benchmark", None) == f"{address}/benchmark/{RUN}"


@pytest.mark.parametrize("root", [None, "", "gs://bucket/root", "/mnt/artifacts"])
def test_a_root_that_cannot_be_read_is_told_with_the_remedy(root):
    with pytest.raises(StorageError, match=r"--pipeline-root|UI"):
        cluster_report.place(run(root), "benchmark", None)
