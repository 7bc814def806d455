"""A backend of Kubeflow Pipelines for tests: the v2beta1 REST API on loopback, its answers made of kfp-server-api's own models.

A run goes through a script of snapshots, one per question. Faults are laid in the way of requests by method and path.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api

State = str
NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@dataclass
class Fault:
    """What happens to the next `times` requests that match, instead of, or after, the answer."""

    method: str
    path: str
    what: int | str
    """A status; `drop`: the connection is reset unanswered; `drop after`: the request is carried out, its answer lost; `login page`."""
    times: int = 1
    body: dict[str, Any] = field(default_factory=lambda: {"error": "told to fail", "message": "told to fail"})


@dataclass
class Snapshot:
    """A run as one answer shows it."""

    state: State
    tasks: list[api.V2beta1PipelineTaskDetail] = field(default_factory=list)
    error: str = ""


def task(name: str, state: State, node: str = "", *followers: str, error: str = "", begun: int = 0) -> api.V2beta1PipelineTaskDetail:
    """A node of the workflow engine, as `GET /runs/{id}` lists it."""
    return api.V2beta1PipelineTaskDetail(
        display_name=name,
        state=state,
        pod_name=node or name,
        child_tasks=[api.PipelineTaskDetailChildTask(pod_name=follower) for follower in followers],
        start_time=NOW.replace(second=begun),
        error=api.GoogleRpcStatus(code=2, message=error) if error else None,
    )


class Stub:
    """The state of the backend, and what it was asked."""

    def __init__(self) -> None:
        self.pipelines: list[api.V2beta1Pipeline] = []
        self.versions: list[api.V2beta1PipelineVersion] = []
        self.uploads: list[bytes] = []
        self.experiments: list[api.V2beta1Experiment] = []
        self.runs: list[api.V2beta1Run] = []
        self.recurring: list[api.V2beta1RecurringRun] = []
        self.script: list[Snapshot] = [Snapshot("SUCCEEDED")]
        self.logs: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.terminated: list[str] = []
        self.asked = 0
        self.on_question: Callable[[int], None] = lambda _count: None
        self.host = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]) -> Any:  # noqa: PLR0912 - one case per endpoint
        """The model (or text) that answers a request; a status for an error."""
        parts = path.removeprefix("/apis/v2beta1/").split("/")
        content = json.loads(body) if body[:1] == b"{" else {}
        match method, parts:
            case "GET", ["healthz"]:
                return api.V2beta1GetHealthzResponse(multi_user=False)
            case "GET", ["pipelines"]:
                return api.V2beta1ListPipelinesResponse(pipelines=chosen(self.pipelines, query))
            case "POST", ["pipelines"]:
                return self.add(self.pipelines, api.V2beta1Pipeline(pipeline_id=f"pipeline-{len(self.pipelines)}", **known(content)))
            case "GET", ["pipelines", _, "versions"]:
                return api.V2beta1ListPipelineVersionsResponse(pipeline_versions=chosen(self.versions, query))
            case "POST", ["pipelines", "upload_version"]:
                self.uploads.append(uploaded(body, headers["content-type"]))
                version = api.V2beta1PipelineVersion(
                    pipeline_id=query["pipelineid"], pipeline_version_id=f"version-{len(self.versions)}", display_name=query["name"]
                )
                return self.add(self.versions, version)
            case "GET", ["experiments"]:
                return api.V2beta1ListExperimentsResponse(experiments=chosen(self.experiments, query))
            case "POST", ["experiments"]:
                made = api.V2beta1Experiment(experiment_id=f"experiment-{len(self.experiments)}", **known(content))
                return self.add(self.experiments, made)
            case "GET", ["runs"]:
                return api.V2beta1ListRunsResponse(runs=chosen(self.runs, query))
            case "POST", ["runs"]:
                run = api.V2beta1Run(run_id=f"run-{len(self.runs)}", state="PENDING", created_at=NOW, **known(content))
                return self.add(self.runs, run)
            case "GET", ["runs", run_id]:
                return self.show(run_id)
            case "POST", ["runs", name] if name.endswith(":terminate"):
                self.terminated.append(name.removesuffix(":terminate"))
                return {}
            case "GET", ["recurringruns"]:
                return api.V2beta1ListRecurringRunsResponse(recurring_runs=chosen(self.recurring, query))
            case "POST", ["recurringruns"]:
                run_id = f"recurring-{len(self.recurring)}"
                return self.add(self.recurring, api.V2beta1RecurringRun(recurring_run_id=run_id, status="ENABLED", **known(content)))
            case "POST", ["recurringruns", name] if name.endswith(":disable"):
                next(run for run in self.recurring if run.recurring_run_id == name.removesuffix(":disable")).status = "DISABLED"
                return {}
            case "GET", [*_] if match := re.fullmatch(r"/apis/v1alpha1/runs/[^/]+/nodes/([^/]+)/log", path):
                return self.logs.get(match[1], 404)
            case _:
                return 404

    def add(self, collection: list[Any], made: Any) -> Any:
        names = [entry.display_name for entry in collection]
        if made.display_name in names and not isinstance(made, api.V2beta1Run):
            return 409
        collection.append(made)
        return made

    def show(self, run_id: str) -> Any:
        run = next((run for run in self.runs if run.run_id == run_id), None)
        if run is None:
            return 404
        snapshot = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        self.on_question(self.asked)
        run.state = snapshot.state
        run.run_details = api.V2beta1RunDetails(task_details=snapshot.tasks)
        run.error = api.GoogleRpcStatus(code=2, message=snapshot.error) if snapshot.error else None
        return run

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and re.fullmatch(rf"/apis/v\w+/{fault.path}", path):
                fault.times -= 1
                return fault
        return None


def known(content: dict[str, Any]) -> dict[str, Any]:
    """Fields that a client sends as they are; a real backend keeps these, too."""
    names = ("display_name", "namespace", "experiment_id", "runtime_config", "service_account", "trigger", "max_concurrency", "no_catchup")
    kept = {name: content[name] for name in (*names, "pipeline_version_reference", "pipeline_spec") if name in content}
    for name, model in (("runtime_config", api.V2beta1RuntimeConfig), ("trigger", api.V2beta1Trigger)):
        if name in kept:
            kept[name] = model(**kept[name])
    return kept


def chosen(entries: list[Any], query: dict[str, str]) -> list[Any]:
    """Entries that the filter of the query lets through; the stub knows equality only, which is enough for names."""
    predicates = json.loads(query.get("filter") or "{}").get("predicates", [])
    for predicate in predicates:
        if predicate["operation"] in ("EQUALS", 1):
            entries = [entry for entry in entries if getattr(entry, predicate["key"]) == predicate["stringValue"]]
    return entries


def uploaded(body: bytes, content_type: str) -> bytes:
    """The file in a multipart form."""
    message = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return message.get_payload()[0].get_payload(decode=True)


@contextmanager
def serve() -> Generator[Stub]:
    """A stub that listens on loopback."""
    stub, lock, client = Stub(), threading.Lock(), api.ApiClient()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_all(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                stub.requests.append((self.command, url.path, headers))
                fault = stub.fault(self.command, url.path)
                carried_out = fault is None or fault.what == "drop after"
                answer = stub.answer(self.command, url.path, query, body, headers) if carried_out else None
            if fault is not None and str(fault.what).startswith("drop"):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            elif fault is not None and fault.what == "login page":
                self.send(200, b"<html>Log in</html>", "text/html; charset=utf-8")
            elif fault is not None:
                self.send(int(fault.what), json.dumps(fault.body).encode())
            elif isinstance(answer, int):
                self.send(answer, json.dumps({"error": f"status {answer}", "message": f"status {answer}"}).encode())
            elif isinstance(answer, str):
                self.send(200, answer.encode(), "text/plain")
            else:
                self.send(200, json.dumps(client.sanitize_for_serialization(answer)).encode())

        def send(self, status: int, content: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_all  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a connection that was reset on purpose
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stub.host = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
