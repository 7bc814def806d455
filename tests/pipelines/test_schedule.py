"""Recurring runs, and what tells of those that fail: nobody waits for them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from kfp_stub import NOW, Fault, Stub, serve, task

from patina.core.errors import StorageError, UsageError
from patina_pipelines import cluster, cluster_cli, failures, schedule
from patina_pipelines.cluster import Login, connect

COMMITTED = str(Path(__file__).parents[2] / "manifests" / "compiled" / "benchmark.yaml")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stub]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # kfp reads a saved login there
    monkeypatch.setattr(cluster, "_FIRST_WAIT", 0.01)
    with serve() as running:
        yield running


def make(stub: Stub, **options: Any) -> None:
    cluster_cli.schedule(COMMITTED, **{"host": stub.host, "architectures": "unet-mit_b0", "cron": "0 3 * * 1", **options})


@pytest.mark.parametrize(
    ("cron", "every", "expected"),
    [
        ("0 3 * * 1", None, {"cron_expression": "0 0 3 * * 1"}),
        ("30 0 3 * * 1", None, {"cron_expression": "30 0 3 * * 1"}),
        (None, 24.0, {"interval_second": 86_400}),
        (None, 0.5, {"interval_second": 1_800}),
    ],
)
def test_the_time_table_takes_the_usual_five_fields_six_or_hours(cron: str | None, every: float | None, expected: dict[str, Any]) -> None:
    assert schedule.trigger(cron, every) == expected


@pytest.mark.parametrize(
    ("cron", "every"), [(None, None), ("0 3 * * 1", 2.0), ("3 * *", None), (None, 0.0), (None, -1.0), (None, float("nan"))]
)
def test_another_time_table_is_refused(cron: str | None, every: float | None) -> None:
    with pytest.raises(UsageError, match=r"--cron|--every"):
        schedule.trigger(cron, every)


def test_a_schedule_runs_the_uploaded_version_with_the_arguments_asked_for(stub: Stub) -> None:
    make(stub, changes=["epochs=3"], name="weekly", pipeline_root="s3://bucket/root")
    (made,) = stub.recurring
    assert (made.display_name, made.status, made.trigger.cron_schedule["cron"]) == ("weekly", "ENABLED", "0 0 3 * * 1")
    assert made.runtime_config.parameters["epochs"] == 3
    assert made.runtime_config.pipeline_root == "s3://bucket/root"
    assert made.pipeline_version_reference["pipeline_version_id"] == "version-0"
    assert (int(made.max_concurrency), made.no_catchup) == (1, True)


def test_a_second_schedule_of_the_same_name_is_refused(stub: Stub) -> None:
    make(stub)
    with pytest.raises(UsageError, match="'benchmark' is there already"):
        make(stub)
    assert len(stub.recurring) == 1


def test_a_lost_answer_makes_no_second_schedule(stub: Stub) -> None:
    stub.faults = [Fault("POST", "recurringruns", "drop after")]
    make(stub)
    assert len(stub.recurring) == 1


def test_schedules_are_listed_with_state_and_time_table(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    make(stub, name="weekly")
    make(stub, name="often", cron=None, every=6.0)
    cluster_cli.schedule(host=stub.host, disable="weekly")
    capsys.readouterr()
    cluster_cli.schedule(host=stub.host, show=True)
    assert capsys.readouterr().out.splitlines() == ["weekly  DISABLED  cron 0 0 3 * * 1 UTC", "often  ENABLED  every 6 h"]


def test_an_unknown_schedule_cannot_be_disabled(stub: Stub) -> None:
    with pytest.raises(UsageError, match="no schedule 'weekly' is active"):
        cluster_cli.schedule(host=stub.host, disable="weekly")


def ended(name: str, state: str, minutes_ago: float) -> api.V2beta1Run:
    details = api.V2beta1RunDetails(task_details=[task("augment", state, error="disk full")])
    end = NOW - timedelta(minutes=minutes_ago)
    return api.V2beta1Run(run_id=name, display_name=name, state=state, finished_at=end, run_details=details)


def test_runs_that_ended_badly_within_the_time_are_found_oldest_first(stub: Stub) -> None:
    stub.runs = [
        ended("late", "FAILED", 1),
        ended("early", "CANCELED", 14),
        ended("before", "FAILED", 16),
        ended("good", "SUCCEEDED", 2),
        api.V2beta1Run(run_id="open", display_name="open", state="RUNNING"),
    ]
    found = failures.ended_badly(connect(Login(stub.host)), 15.0, now=NOW)
    assert [run.display_name for run in found] == ["early", "late"]


def test_a_tick_after_the_other_tells_each_run_once(stub: Stub) -> None:
    stub.runs = [ended(f"run {minutes}", "FAILED", minutes) for minutes in (0, 15, 30)]
    backend = connect(Login(stub.host))
    ticks = [failures.ended_badly(backend, 15.0, now=NOW - timedelta(minutes=ago)) for ago in (30, 15, 0)]
    assert [[run.display_name for run in tick] for tick in ticks] == [["run 30"], ["run 15"], ["run 0"]]


def test_the_line_names_run_stage_and_reason(stub: Stub) -> None:
    from patina_pipelines.submit import package

    run = ended("benchmark weekly", "FAILED", 1)
    line = failures.line(connect(Login(stub.host)), run, package(COMMITTED).stages)
    assert line.startswith("patina: benchmark weekly: augment FAILED: disk full")
    assert line.endswith(f"{stub.host}/#/runs/details/benchmark weekly")
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("content", ["", "no address", "ftp://example.org/x", "\n".join(["https://a.example", "https://b.example"])])
def test_a_webhook_file_without_one_address_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "webhook"
    path.write_text(content)
    with pytest.raises(UsageError, match="--webhook-file"):
        failures.post(path, "line")


def test_an_unreachable_webhook_is_told_without_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "TRIES", failures.TRIES.new(total=1, backoff_factor=0))
    path = tmp_path / "webhook"
    path.write_text("http://127.0.0.1:9/services/canary")
    with pytest.raises(StorageError, match="out of reach") as caught:
        failures.post(path, "line")
    assert "canary" not in str(caught.value)


def test_the_filter_asks_the_backend_for_recent_runs_only(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    backend = connect(Login(stub.host))
    plain = backend.client.list_runs
    monkeypatch.setattr(backend.client, "list_runs", lambda **options: asked.append(options["filter"]) or plain(**options))
    failures.ended_badly(backend, 15.0, now=NOW)
    (predicate,) = json.loads(asked[0])["predicates"]
    assert predicate == {"operation": "GREATER_THAN", "key": "finished_at", "timestampValue": "2026-05-04T11:45:00Z"}
