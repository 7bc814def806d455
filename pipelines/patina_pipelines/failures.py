"""Runs that ended badly tell so: one line to a webhook.

An exit handler cannot do it: Kubeflow Pipelines fails a loop inside of one (kubeflow/pipelines#12390). So whoever waits for a run posts
the line, and for scheduled runs, which nobody waits for, `patina watch` looks back over the last minutes and is started by cron as often.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3

from patina.core.errors import StorageError, UsageError
from patina_pipelines import cluster_stages
from patina_pipelines.cluster import Backend, read_secret
from patina_pipelines.submit import sentence

TRIES = urllib3.Retry(total=4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False)
"""Attempts to post a line: about 7 seconds in all."""
_BAD = ("FAILED", "CANCELED")
_PAGE = 100


def post(address_file: Path, line: str) -> None:
    """Posts `{"text": line}`, the form of Slack, Mattermost and Teams' workflows, to the address in `address_file`.

    Raises:
        UsageError: the file holds no address.
        StorageError: the other side cannot be reached or refuses; the address, which is a secret, is not in the message.
    """
    address = read_secret(address_file, "--webhook-file")
    if not address.startswith(("https://", "http://")):
        raise UsageError(f"--webhook-file: {address_file} should hold a web address.")
    headers = {"Content-Type": "application/json"}
    try:
        with urllib3.PoolManager(timeout=urllib3.Timeout(10.0), retries=TRIES) as web:
            answer = web.request("POST", address, body=json.dumps({"text": line}).encode(), headers=headers)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        kind = type(getattr(error, "reason", None) or error).__name__
        raise StorageError(f"the webhook of {address_file} is out of reach ({kind}). Check the address in the file.") from None
    if answer.status >= 300:
        raise StorageError(f"the webhook of {address_file} refuses the message ({answer.status}). Check the address in the file.")


def line(backend: Backend, run: Any, known: cluster_stages.Names) -> str:
    """What is said of `run`: its name, the failed stage and the reason, where to look."""
    told = sentence(backend, run, cluster_stages.stages(run, known))
    return f"patina: {run.display_name}: {told} {backend.login.link(run.run_id)}"


def ended_badly(backend: Backend, minutes: float, now: datetime | None = None) -> list[Any]:
    """The runs that failed or were cancelled within the last `minutes`, oldest first."""
    end = now or datetime.now(UTC)
    start = end - timedelta(minutes=minutes)
    since = {"operation": "GREATER_THAN", "key": "finished_at", "timestampValue": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
    chosen = json.dumps({"predicates": [since]})
    runs: list[Any] = []
    token = ""
    while True:
        page = backend.ask(lambda token=token: _page(backend, token, chosen))
        runs += page.runs or []
        token = page.next_page_token or ""
        if not token:
            break
    recent = [run for run in runs if run.state in _BAD and run.finished_at is not None and start < run.finished_at <= end]
    return sorted(recent, key=lambda run: run.finished_at)


def _page(backend: Backend, token: str, chosen: str) -> Any:
    return backend.client.list_runs(page_token=token, page_size=_PAGE, namespace=backend.login.namespace, filter=chosen)
