"""`patina schedule`: recurring runs, which the backend starts by itself."""

from typing import Any

from patina.core.errors import UsageError
from patina_pipelines.cluster import Backend
from patina_pipelines.submit import Package, check_arguments, equals, experiment_on, version_on

_PAGE = 100


def trigger(cron: str | None, every_hours: float | None) -> dict[str, Any]:
    """When to run, as the client's `create_recurring_run` takes it.

    Args:
        cron: five fields (minute, hour, day of month, month, day of week) or six with seconds before them, in UTC.
        every_hours: hours between two starts.

    Raises:
        UsageError: neither or both, or not of that form.
    """
    if (cron is None) == (every_hours is None):
        raise UsageError('one of --cron "M H DAY MONTH WEEKDAY" and --every HOURS is needed. Example: --cron "0 3 * * 1"')
    if every_hours is not None:
        if not every_hours >= 1 / 60:
            raise UsageError(f"--every expects hours, at least a minute (0.02), got {every_hours}.")
        return {"interval_second": round(3600 * every_hours)}
    fields = str(cron).split()
    if len(fields) not in (5, 6):
        raise UsageError(f'--cron expects five fields, or six with seconds before them, got {cron!r}. Example: --cron "0 3 * * 1"')
    return {"cron_expression": " ".join(fields if len(fields) == 6 else ["0", *fields])}


def create(
    backend: Backend,
    what: Package,
    arguments: dict[str, Any],
    when: dict[str, Any],
    *,
    name: str,
    experiment: str,
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> str:
    """Creates a recurring run and returns its id; runs never overlap, and missed ones are not made up for.

    Raises:
        UsageError: one of that name is there already, or the backend refuses.
        StorageError: as `Backend.ask`.
    """
    check_arguments(arguments, what)
    if there := [run for run in _called(backend, name) if run.status != "DISABLED"]:
        raise UsageError(f"schedule {name!r} is there already ({there[0].recurring_run_id}). Disable it first, or give --name.")
    pipeline_id, version_id = version_on(backend, what)
    experiment_id = experiment_on(backend, experiment)

    def make() -> str:
        return backend.client.create_recurring_run(
            experiment_id=experiment_id,
            job_name=name,
            params=arguments,
            pipeline_id=pipeline_id,
            version_id=version_id,
            pipeline_root=pipeline_root,
            service_account=service_account,
            max_concurrency=1,
            no_catchup=True,
            **when,
        ).recurring_run_id

    def look_first() -> str:
        there = [run for run in _find(backend, name) if run.status != "DISABLED"]
        return there[0].recurring_run_id if there else make()

    return backend.ask(make, again=look_first)


def listing(backend: Backend) -> list[tuple[str, str, str]]:
    """Name, state and time table of every recurring run."""
    found: list[Any] = backend.ask(lambda: _all(backend))
    return [(str(run.display_name), str(run.status), _when(run.trigger)) for run in found]


def disable(backend: Backend, name: str) -> int:
    """Stops the recurring runs called `name`; returns how many. A run that has begun goes on.

    Raises:
        UsageError: there is none.
    """
    active = [run for run in _called(backend, name) if run.status != "DISABLED"]
    if not active:
        raise UsageError(f"no schedule {name!r} is active. `patina schedule --list` shows what is there.")
    for run in active:
        backend.ask(lambda chosen=run: backend.client.disable_recurring_run(chosen.recurring_run_id))
    return len(active)


def _called(backend: Backend, name: str) -> list[Any]:
    return backend.ask(lambda: _find(backend, name))


def _find(backend: Backend, name: str) -> list[Any]:
    found = backend.client.list_recurring_runs(filter=equals(name), namespace=backend.login.namespace, page_size=_PAGE)
    return found.recurring_runs or []


def _all(backend: Backend) -> list[Any]:
    runs: list[Any] = []
    token = ""
    while True:
        page = backend.client.list_recurring_runs(page_token=token, page_size=_PAGE, namespace=backend.login.namespace)
        runs += page.recurring_runs or []
        token = page.next_page_token or ""
        if not token:
            return runs


def _when(trigger: Any) -> str:
    if trigger is not None and trigger.cron_schedule is not None:
        return f"cron {trigger.cron_schedule.cron} UTC"
    if trigger is not None and trigger.periodic_schedule is not None:
        return f"every {int(trigger.periodic_schedule.interval_second) / 3600:g} h"
    return "never"
