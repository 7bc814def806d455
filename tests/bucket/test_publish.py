import json
from pathlib import Path

import pytest
from fault_proxy import FaultProxy

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.errors import DataRefused, StorageError, UsageError
from patina_pipelines import runs
from patina_pipelines.publish import publish


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that has succeeded."""
    folder = runs.create(tmp_path, "benchmark", {})
    runs.begin(folder)
    runs.finish(folder, "succeeded")
    comparison = folder / "artifacts" / "compare" / "comparison"
    comparison.mkdir(parents=True)
    for name in ("report.html", "summary.json", "ranking.csv", "report.md"):
        (comparison / name).write_text(f"the {name}")
    return folder


def test_report_summary_and_lineage_are_published_below_the_runs_name(run: Path, url: str, patience: Patience) -> None:
    where = publish(run, url, patience)
    assert where == f"{url}/{run.name}"
    bucket = Bucket(where, patience)
    names = {"lineage.json", "published.json", "ranking.csv", "report.html", "report.md", "summary.json"}
    assert {stored.key for stored in bucket.listing()} == names
    assert bucket.read("report.html") == b"the report.html"
    assert json.loads(bucket.read("published.json") or b"")["report.html"]["bytes"] == len("the report.html")


def test_publishing_again_changes_nothing(run: Path, url: str, proxy: FaultProxy, patience: Patience) -> None:
    publish(run, url, patience)
    before = proxy.count("PUT")
    publish(run, url, patience)
    assert proxy.count("PUT") == before


def test_another_content_under_the_same_name_is_refused_and_the_first_stays(run: Path, url: str, patience: Patience) -> None:
    where = publish(run, url, patience)
    (run / "artifacts" / "compare" / "comparison" / "report.html").write_text("edited")
    with pytest.raises(DataRefused, match="was published with another content"):
        publish(run, url, patience)
    assert Bucket(where, patience).read("report.html") == b"the report.html"


def test_an_interrupted_publication_is_finished_by_the_next_call(run: Path, url: str, proxy: FaultProxy, patience: Patience) -> None:
    proxy.meets("PUT", None, None, (403, "ExpiredToken"))
    with pytest.raises(StorageError):
        publish(run, url, patience)
    assert Bucket(publish(run, url, patience), patience).read("published.json") is not None


def test_a_run_that_has_not_succeeded_is_not_published(run: Path, url: str) -> None:
    runs.finish(run, "failed")
    with pytest.raises(UsageError, match="only a run that has succeeded"):
        publish(run, url)


def test_a_missing_report_is_named(run: Path, url: str) -> None:
    (run / "artifacts" / "compare" / "comparison" / "report.html").unlink()
    with pytest.raises(DataRefused, match=r"no readable .*report\.html"):
        publish(run, url)
