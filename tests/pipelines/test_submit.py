"""Submitting to a cluster: a run is created once, followed to its end, and every other end than success is told with stage and reason."""

import base64
import http.server
import json
import os
import signal
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp_stub import Fault, Snapshot, Stub, serve, task

from patina.core.errors import Interrupted, PatinaError, StageFailed, StorageError, UsageError
from patina_pipelines import cluster, cluster_cli, failures

COMMITTED = str(Path(__file__).parents[2] / "manifests" / "compiled" / "benchmark.yaml")
GPU_POOL = json.dumps({"node_selector": {"patina.io/pool": "gpu-cnn"}, "accelerator_count": "1", "cpu": "8", "memory": "32Gi"})
TWO = "unet-resnet10t,unet-mit_b0"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stub]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # kfp reads a saved login there
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(cluster, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(failures, "TRIES", failures.TRIES.new(total=1, backoff_factor=0))
    with serve() as running:
        yield running


def submit(stub: Stub, **options: Any) -> None:
    cluster_cli.submit(COMMITTED, **{"host": stub.host, "wait": True, "poll": 0.01, "architectures": TWO, **options})


def training(state: str, pod: str, **options: Any) -> list[Any]:
    """The nodes of a run whose second training is in `state`, its pod in `pod`."""
    return [
        task("root-driver", "SUCCEEDED", "d0", "n0"),
        task("download", "SUCCEEDED", "n0", "e0", begun=1),
        task("executor", "SUCCEEDED", "e0", "i0", "i1", begun=1),
        task("iteration-item(0:0)", "RUNNING", "i0", "t0", begun=2),
        task("iteration-item(1:1)", "RUNNING", "i1", "d1", begun=2),
        task("train", "SUCCEEDED", "t0", "x0", begun=3),
        task("executor", "SUCCEEDED", "x0", begun=3),
        task("train-driver", "SUCCEEDED", "d1", "t1", begun=3),
        task("train", state, "t1", "x1", begun=4),
        task("executor", pod, "x1", begun=4, **options),
    ]


def test_a_run_that_succeeds_is_followed_with_one_line_per_change(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.script = [
        Snapshot("PENDING"),
        Snapshot("RUNNING", training("RUNNING", "PENDING")),
        Snapshot("RUNNING", training("RUNNING", "PENDING")),
        Snapshot("RUNNING", training("RUNNING", "RUNNING")),
        Snapshot("SUCCEEDED", training("SUCCEEDED", "SUCCEEDED")),
    ]
    submit(stub)
    first, link, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "run: run-0"
    assert link == f"{stub.host}/#/runs/details/run-0"
    assert [" ".join(line.split()[1:]) for line in lines] == [
        "download SUCCEEDED",
        "train (unet-resnet10t) SUCCEEDED",
        "train (unet-mit_b0) PENDING",
        "train (unet-mit_b0) RUNNING",
        "train (unet-mit_b0) SUCCEEDED",
    ]
    assert last == "SUCCEEDED"


def test_the_run_gets_the_arguments_the_place_and_the_pool_that_were_asked_for(stub: Stub) -> None:
    submit(
        stub,
        changes=["epochs=3"],
        pool=GPU_POOL,
        parameters=["checkpoints=s3://bucket/checkpoints"],
        pipeline_root="s3://bucket/root",
        service_account="patina-runner",
        run_name="the name",
        experiment="the experiment",
    )
    (run,) = stub.runs
    assert (run.display_name, run.service_account, run.runtime_config.pipeline_root) == ("the name", "patina-runner", "s3://bucket/root")
    parameters = run.runtime_config.parameters
    assert (parameters["epochs"], parameters["recipe"], parameters["checkpoints"]) == (3, "quick", "s3://bucket/checkpoints")
    assert [item["architecture"] for item in parameters["architectures"]] == ["unet-resnet10t", "unet-mit_b0"]
    assert {item["node_selector"]["patina.io/pool"] for item in parameters["architectures"]} == {"gpu-cnn"}
    assert [experiment.display_name for experiment in stub.experiments] == ["the experiment"]


def test_the_same_file_is_uploaded_once(stub: Stub) -> None:
    submit(stub)
    submit(stub)
    assert stub.uploads == [Path(COMMITTED).read_bytes()]
    assert len(stub.runs) == 2
    assert {run.pipeline_version_reference["pipeline_version_id"] for run in stub.runs} == {"version-0"}


def test_another_file_becomes_another_version_of_the_same_pipeline(stub: Stub, tmp_path: Path) -> None:
    submit(stub)
    changed = tmp_path / "changed.yaml"
    changed.write_bytes(Path(COMMITTED).read_bytes() + b"# changed\n")
    cluster_cli.submit(str(changed), host=stub.host)
    assert len(stub.pipelines) == 1
    assert len({version.display_name for version in stub.versions}) == 2


@pytest.mark.parametrize("path", ["pipelines", "pipelines/upload_version", "experiments"])
def test_what_somebody_else_makes_in_the_same_moment_is_used(stub: Stub, path: str) -> None:
    stub.faults = [Fault("POST", f"(?:{path})", "drop after"), Fault("POST", f"(?:{path})", 409)]
    submit(stub)
    assert len(stub.runs) == 1
    assert (len(stub.pipelines), len(stub.versions), len(stub.experiments)) == (1, 1, 1)


def test_a_failed_run_names_stage_reason_and_log(stub: Stub) -> None:
    stub.script = [Snapshot("FAILED", training("FAILED", "FAILED"))]
    exception = "patina.core.errors.DataRefused: tiles are empty. Make them again."
    stub.logs["x1"] = stub.logs["-system-container-impl-x1"] = (
        f"epoch 1\nTraceback (most recent call last):\n{exception}\nF main.go: exit 3\n"
    )
    with pytest.raises(StageFailed) as caught:
        submit(stub, namespace="heritage")
    message = str(caught.value)
    assert "train (unet-mit_b0) FAILED: DataRefused: tiles are empty." in message
    assert "kubectl logs -n heritage -l pipeline/runid=run-0" in message
    assert f"{stub.host}/#/runs/details/run-0" in message
    assert len(message.splitlines()) == 2
    assert caught.value.exit_code == 5


def test_without_a_log_the_backend_s_own_words_are_the_reason(stub: Stub) -> None:
    stub.script = [Snapshot("FAILED", training("FAILED", "FAILED", error="Pod was active on the node longer than the\n deadline"))]
    with pytest.raises(StageFailed, match=r"train \(unet-mit_b0\) FAILED: Pod was active on the node longer than the deadline"):
        submit(stub)


@pytest.mark.parametrize("template", ["retry-system-container-impl", "system-container-impl"])
def test_a_stage_that_was_tried_again_speaks_by_its_last_pod(stub: Stub, template: str) -> None:
    nodes = [
        task("download", "FAILED", "wf-1", "wf-2"),
        task("executor", "FAILED", "wf-2", "wf-3", "wf-4", begun=1),
        task("executor(0)", "FAILED", "wf-3", error="first", begun=2),
        task("executor(1)", "FAILED", "wf-4", error="second", begun=3),
    ]
    stub.script = [Snapshot("RUNNING", [task("download", "RUNNING", "wf-1", "wf-2"), *nodes[1:3]]), Snapshot("FAILED", nodes)]
    stub.logs[f"wf-{template}-4"] = "StorageError: the hub is out of reach\n"
    with pytest.raises(StageFailed, match="download FAILED: StorageError: the hub is out of reach"):
        submit(stub)
    stub.logs.clear()
    with pytest.raises(StageFailed, match="download FAILED: second"):
        submit(stub)


def test_a_failure_before_any_stage_gives_the_run_s_error(stub: Stub) -> None:
    stub.script = [Snapshot("FAILED", error="invalid spec: no such parameter")]
    with pytest.raises(StageFailed, match="the run ended FAILED: invalid spec: no such parameter"):
        submit(stub)


def test_a_cancelled_run_is_no_success(stub: Stub) -> None:
    stub.script = [Snapshot("RUNNING"), Snapshot("CANCELING"), Snapshot("CANCELED")]
    with pytest.raises(StageFailed, match="the run ended CANCELED"):
        submit(stub)


def test_a_run_that_never_leaves_the_queue_ends_the_patience_and_names_the_pool(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.script = [Snapshot("RUNNING", training("RUNNING", "PENDING"))]
    with pytest.raises(StageFailed) as caught:
        submit(stub, pool=GPU_POOL, deadline=0.15 / 60, hint=0.03 / 60)
    message = str(caught.value)
    asks = "patina.io/pool=gpu-cnn, 1 nvidia.com/gpu, 8 CPU, 32Gi of memory"
    assert f"train (unet-mit_b0) is PENDING and asks for {asks}" in message
    assert "no node can take" in message
    assert stub.terminated == []
    assert capsys.readouterr().out.count(f"for a node; it asks for {asks}") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "runs/run-0", 503, times=5),
        Fault("GET", "runs/run-0", "drop", times=8),
        Fault("GET", "runs/run-0", "drop after", times=4),
        Fault("GET", "runs/run-0", 429, times=2),
        Fault("GET", "pipelines", 502, times=2),
        Fault("POST", "pipelines", "drop after"),
        Fault("POST", "pipelines/upload_version", "drop after"),
        Fault("POST", "experiments", "drop after"),
        Fault("POST", "runs", "drop after"),
        Fault("POST", "runs", 503),
    ],
    ids=lambda fault: f"{fault.method} {fault.path} {fault.what}",
)
def test_a_backend_that_stumbles_is_asked_again_and_nothing_is_made_twice(stub: Stub, fault: Fault) -> None:
    stub.script = [Snapshot("RUNNING"), Snapshot("SUCCEEDED")]
    stub.faults = [fault]
    submit(stub)
    assert fault.times == 0
    assert [len(made) for made in (stub.pipelines, stub.versions, stub.experiments, stub.runs)] == [1, 1, 1, 1]


def test_a_backend_that_stays_away_is_given_up(stub: Stub) -> None:
    stub.faults = [Fault("GET", "pipelines", 503, times=1000, body={"message": "no healthy upstream"})]
    with pytest.raises(StorageError, match=r"is out of reach: 503 no healthy upstream") as caught:
        submit(stub)
    assert caught.value.exit_code == 4


def test_nobody_at_the_address_is_out_of_reach(stub: Stub) -> None:
    with pytest.raises(StorageError, match="out of reach"):
        submit(stub, host="http://127.0.0.1:9")


@pytest.mark.parametrize("what", [401, 403, "login page"])
@pytest.mark.parametrize("path", ["healthz", "pipelines", "runs/run-0"])
def test_a_refused_login_ends_it_at_once(stub: Stub, tmp_path: Path, what: int | str, path: str) -> None:
    token = tmp_path / "token"
    token.write_text("expired\n")
    stub.faults = [Fault("GET", path, what, times=1000)]
    with pytest.raises(StorageError) as caught:
        submit(stub, token_file=token)
    assert f"Renew what {token} holds" in str(caught.value)
    assert stub.faults[0].times == 999


def test_a_request_that_the_backend_refuses_is_a_mistake_of_the_caller(stub: Stub) -> None:
    stub.faults = [Fault("POST", "runs", 400, body={"error": "Invalid input error: no such service account"})]
    with pytest.raises(UsageError, match=r"refuses the request \(400\): Invalid input error: no such service account"):
        submit(stub)


def test_a_token_is_read_again_for_every_request(stub: Stub, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    stub.script = [Snapshot("RUNNING"), Snapshot("SUCCEEDED")]
    stub.on_question = lambda _count: token.write_text("second") and None
    submit(stub, token_file=token)
    sent = [headers.get("authorization") for _, _, headers in stub.requests]
    assert sent[0] == "Bearer first"
    assert sent[-1] == "Bearer second"


def test_cookies_are_sent_as_a_proxy_wants_them(stub: Stub, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies"
    cookies.write_text("session=abc")
    submit(stub, cookies_file=cookies)
    assert {headers.get("cookie") for _, path, headers in stub.requests if not path.endswith("healthz")} == {"session=abc"}


@pytest.mark.parametrize("status", [None, 400, 401, 503])
def test_no_output_holds_a_secret_in_any_form(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    canary = "canary+/secret=7f3a"
    token, cookies, webhook = tmp_path / "token", tmp_path / "cookies", tmp_path / "webhook"
    token.write_text(canary)
    cookies.write_text(f"session={canary}")
    webhook.write_text(f"http://127.0.0.1:9/{canary}")
    stub.script = [Snapshot("FAILED", training("FAILED", "FAILED"))]
    if status is not None:
        stub.faults = [Fault("GET", "runs/run-0", status, times=1000, body={"message": f"who is Bearer {canary}? {canary}"})]
    caplog.set_level("DEBUG")
    with pytest.raises(PatinaError) as caught:
        submit(stub, token_file=token, cookies_file=cookies, webhook_file=webhook, deadline=0.1 / 60)
    printed = capsys.readouterr()
    told = "\n".join((printed.out, printed.err, str(caught.value), repr(caught.value)))
    for form in (canary, base64.b64encode(canary.encode()).decode(), urllib.parse.quote(canary, safe="")):
        assert form not in told
        assert form not in "".join(record.getMessage() for record in caplog.records if record.name.startswith(("patina", "root")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("cancel", [False, True])
def test_an_interrupt_leaves_the_run_unless_told_to_cancel_it(stub: Stub, number: signal.Signals, cancel: bool) -> None:
    stub.script = [Snapshot("RUNNING")]
    stub.on_question = lambda count: os.kill(os.getpid(), number) if count == 3 else None
    with pytest.raises(Interrupted) as caught:
        submit(stub, cancel_on_interrupt=cancel)
    assert caught.value.exit_code == 75
    assert stub.terminated == (["run-0"] if cancel else [])
    assert ("cancelled" if cancel else "--follow run-0") in str(caught.value)


def test_a_run_that_was_left_can_be_followed_again(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    cluster_cli.submit(COMMITTED, host=stub.host)
    assert stub.asked == 0, "without --wait nothing is followed"
    submit(stub, follow="run-0", wait=False)
    assert len(stub.runs) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "SUCCEEDED"


def test_a_wrong_run_to_follow_is_refused(stub: Stub) -> None:
    with pytest.raises(UsageError, match="404"):
        submit(stub, follow="run-7")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parameters": ["epoch=3"]}, "no parameter 'epoch'"),
        ({"changes": ["epoch=3"]}, "unknown key 'epoch'"),
        ({"preset": "slow"}, "Presets: quick, standard"),
        ({"pool": "tpu"}, "--pool expects cpu, gpu"),
        ({"pool": '{"cpus": "8", "memory": "1Gi"}'}, "names no pool for unet-resnet10t"),
        ({"pool": '{"cpu": 8}'}, "--pool: cpu"),
        ({"pool": '{"unet-mit_b0": {}}'}, "names no pool for unet-resnet10t"),
        ({"parameters": [f"checkpoints={'x' * 10_001}"]}, "at most 10000"),
        ({"wait": False, "report": Path("here")}, "Add --wait"),
        ({"token_file": Path("missing")}, "--token-file: cannot read missing"),
    ],
)
def test_mistakes_are_found_before_the_backend_is_asked(stub: Stub, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        submit(stub, **options)
    assert stub.requests == []


@pytest.mark.parametrize("content", ["", "a: [", "pipelineInfo: {name: x}", "- 1"])
def test_a_file_that_is_no_pipeline_is_refused(stub: Stub, tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match="no compiled pipeline"):
        cluster_cli.submit(str(path), host=stub.host)


def test_pools_can_be_named_per_architecture(stub: Stub) -> None:
    submit(stub, pool='{"unet-mit_b0": {"memory": "64Gi"}, "unet-resnet10t": {}}')
    items = stub.runs[0].runtime_config.parameters["architectures"]
    assert [(item["architecture"], item["memory"]) for item in items] == [("unet-resnet10t", "16Gi"), ("unet-mit_b0", "64Gi")]


class Hook(http.server.BaseHTTPRequestHandler):
    said: list[str]

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A file with the address of a webhook, and what was posted there."""
    said: list[str] = []
    with http.server.HTTPServer(("127.0.0.1", 0), type("Listening", (Hook,), {"said": said})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        path = tmp_path / "webhook"
        path.write_text(f"http://127.0.0.1:{server.server_port}/hook\n")
        yield path, said
        server.shutdown()
        thread.join()


def test_a_failed_run_posts_one_line_with_stage_and_reason(stub: Stub, webhook: tuple[Path, list[str]]) -> None:
    stub.script = [Snapshot("FAILED", training("FAILED", "FAILED", error="OOMKilled"))]
    with pytest.raises(StageFailed):
        submit(stub, webhook_file=webhook[0])
    (line,) = webhook[1]
    assert line.startswith("patina: benchmark: train (unet-mit_b0) FAILED: OOMKilled")
    assert len(line.splitlines()) == 1


def test_a_run_that_succeeds_posts_nothing(stub: Stub, webhook: tuple[Path, list[str]]) -> None:
    submit(stub, webhook_file=webhook[0])
    assert webhook[1] == []
    assert stub.asked == 1


@pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")
def test_kfp_s_own_command_takes_the_same_file(stub: Stub) -> None:
    from click.testing import CliRunner
    from kfp.cli.cli import cli

    result = CliRunner().invoke(cli, ["--endpoint", stub.host, "run", "create", "-e", "patina", "-f", COMMITTED, "epochs=3"], obj={})
    assert result.exit_code == 0, result.output
    (run,) = stub.runs
    assert run.pipeline_spec["pipeline_spec"]["pipelineInfo"]["name"] == "benchmark"
    assert "exec-train" in run.pipeline_spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
