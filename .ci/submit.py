"""Starts a run on a Kubeflow Pipelines host, waits for its end, and fails unless it succeeded.

`kfp run create --watch` exits 0 on a failed run, so its exit code says nothing; this asks for the state itself. The host
and the token come from the environment (KFP_HOST, KFP_TOKEN), so that neither stands in a process list or a log.

usage: submit.py PACKAGE EXPERIMENT DEADLINE_MINUTES [KEY=VALUE ...]
"""

import os
import sys
import time

from kfp.client import Client

from patina.core.config import parse_assignments

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def submit(package: str, experiment: str, minutes: float, assignments: list[str]) -> str:
    """Starts `package`, waits at most `minutes`, and returns the state in which the run ended (or still is)."""
    client = Client(host=os.environ["KFP_HOST"], existing_token=os.environ.get("KFP_TOKEN") or None)
    started = client.create_run_from_pipeline_package(package, arguments=parse_assignments(assignments), experiment_name=experiment)
    print(f"run {started.run_id} in experiment {experiment}", flush=True)
    deadline, state = time.monotonic() + 60 * minutes, None
    while time.monotonic() < deadline:
        seen = client.get_run(started.run_id).state
        if seen != state:
            print(f"state: {seen}", flush=True)
        state = seen
        if state in ENDED:
            return str(state)
        time.sleep(min(10.0, 6 * minutes))
    return f"{state} after {minutes:g} minutes (a pod that no node takes, or an image that cannot be pulled, waits for ever)"


if __name__ == "__main__":
    package_, experiment_, minutes_, *assignments_ = sys.argv[1:]
    if (end := submit(package_, experiment_, float(minutes_), assignments_)) != "SUCCEEDED":
        sys.exit(f"The run ended as {end}, expected SUCCEEDED. Its tasks and logs are in the Kubeflow Pipelines UI.")
