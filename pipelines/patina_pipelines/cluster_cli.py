"""`patina submit`, `schedule` and `watch`: the command line's part that speaks to a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from patina.core.errors import PatinaError, StageFailed, UsageError

if TYPE_CHECKING:
    from patina_pipelines.submit import Package

Host = Annotated[
    str | None, typer.Option(help="Address of Kubeflow Pipelines; without it, as kfp.Client finds it: in-cluster, kubeconfig.")
]
Namespace = Annotated[str | None, typer.Option(help="Namespace of the runs, where KFP is in multi-user mode.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with a bearer token.")]
CookiesFile = Annotated[Path | None, typer.Option(help="File with the Cookie header of a login proxy.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificate authority of the host, PEM.")]
Ui = Annotated[str | None, typer.Option(help="Address that people open, where it differs from the host.")]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", help="Name of a pipeline, or a compiled YAML file.")]
Preset = Annotated[str, typer.Option(help="quick or standard.")]
Data = Annotated[str | None, typer.Option(help="sample, hf://…, s3://…, or a folder that the pods see.")]
Architectures = Annotated[str | None, typer.Option(help="Comma-separated subset.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Changes one setting; repeatable.")]
PoolChoice = Annotated[str, typer.Option("--pool", help="cpu, gpu, or JSON (text or file): one pool for all, or one per architecture.")]
Parameters = Annotated[list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="Sets a pipeline parameter as it is.")]
Experiment = Annotated[str, typer.Option(help="Experiment of the runs.")]
Root = Annotated[str | None, typer.Option(help="Where artifacts go, for instance s3://bucket/prefix; else the cluster's default.")]
Account = Annotated[str | None, typer.Option(help="Service account of the pods.")]
Webhook = Annotated[Path | None, typer.Option(help='File with the address to which one line is posted as {"text": …} if the run fails.')]


def submit(
    pipeline: PipelineName = "benchmark",
    host: Host = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    cookies_file: CookiesFile = None,
    ca_file: CaFile = None,
    ui: Ui = None,
    preset: Preset = "quick",
    data: Data = None,
    architectures: Architectures = None,
    changes: Changes = None,
    pool: PoolChoice = "cpu",
    parameters: Parameters = None,
    experiment: Experiment = "patina",
    pipeline_root: Root = None,
    service_account: Account = None,
    run_name: Annotated[str | None, typer.Option(help="Name of the run in the UI.")] = None,
    follow: Annotated[str | None, typer.Option(metavar="RUN", help="Creates no run, but waits for this one.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follows the run; exits 0 only if it succeeds.")] = False,
    deadline: Annotated[float, typer.Option(min=0.0, help="Minutes to wait at most.")] = 1_440.0,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between two questions.")] = 5.0,
    hint: Annotated[float, typer.Option(min=0.0, help="Minutes after which a stage that waits for a node is pointed out.")] = 10.0,
    cancel_on_interrupt: Annotated[bool, typer.Option("--cancel-on-interrupt", help="Ctrl-C ends the run, too.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Fetches the report from the bucket when the run has ended.")] = None,
    webhook_file: Webhook = None,
) -> None:
    """Runs a pipeline on a cluster."""
    from patina_pipelines import cluster_report
    from patina_pipelines.cluster import Login, connect
    from patina_pipelines.interrupts import interruptible
    from patina_pipelines.submit import Waiting, create_run, package
    from patina_pipelines.submit import follow as wait_for

    if (report or webhook_file or cancel_on_interrupt) and not (wait or follow):
        raise UsageError("--report, --webhook-file and --cancel-on-interrupt need somebody who waits. Add --wait.")
    login = Login(host, namespace, token_file, cookies_file, ca_file, ui)
    what = package(pipeline)
    arguments = {} if follow else run_arguments(what, preset, data, architectures, changes, pool, parameters)
    backend = connect(login)
    if follow is None:
        run_id = create_run(
            backend,
            what,
            arguments,
            experiment=experiment,
            run_name=run_name,
            pipeline_root=pipeline_root,
            service_account=service_account,
        )
    else:
        run_id = follow
    _say(f"run: {run_id}")
    _say(login.link(run_id))
    if not wait and follow is None:
        return
    waiting = Waiting(deadline, poll, hint, cancel_on_interrupt)
    try:
        with interruptible():
            run = wait_for(backend, run_id, what.stages, waiting, _say)
    except StageFailed as error:
        if webhook_file is not None:
            _post(webhook_file, f"patina: {what.name}: {' '.join(str(error).split())}")
        raise
    _say("SUCCEEDED")
    if report is not None:
        _say(f"report: {cluster_report.fetch(cluster_report.place(run, what.name, pipeline_root), report)}")


def schedule(
    pipeline: PipelineName = "benchmark",
    host: Host = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    cookies_file: CookiesFile = None,
    ca_file: CaFile = None,
    preset: Preset = "quick",
    data: Data = None,
    architectures: Architectures = None,
    changes: Changes = None,
    pool: PoolChoice = "cpu",
    parameters: Parameters = None,
    experiment: Experiment = "patina",
    pipeline_root: Root = None,
    service_account: Account = None,
    cron: Annotated[str | None, typer.Option(help="Minute, hour, day, month, weekday, in UTC.")] = None,
    every: Annotated[float | None, typer.Option(metavar="HOURS", help="Hours between two starts.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the schedule; the pipeline's name by default.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Lists the schedules.")] = False,
    disable: Annotated[str | None, typer.Option(metavar="NAME", help="Stops a schedule.")] = None,
) -> None:
    """Runs a pipeline again and again on a cluster."""
    from patina_pipelines import schedule as schedules
    from patina_pipelines.cluster import Login, connect
    from patina_pipelines.submit import package

    login = Login(host, namespace, token_file, cookies_file, ca_file)
    if show:
        for line in schedules.listing(connect(login)):
            _say("  ".join(line))
    elif disable is not None:
        _say(f"disabled {disable} ({schedules.disable(connect(login), disable)})")
    else:
        when, what = schedules.trigger(cron, every), package(pipeline)
        arguments = run_arguments(what, preset, data, architectures, changes, pool, parameters)
        made = schedules.create(
            connect(login),
            what,
            arguments,
            when,
            name=name or what.name,
            experiment=experiment,
            pipeline_root=pipeline_root,
            service_account=service_account,
        )
        _say(f"schedule {name or what.name}: {made}")


def watch(
    webhook_file: Annotated[Path, typer.Option(help='File with the address to which lines are posted as {"text": …}.')],
    pipeline: PipelineName = "benchmark",
    host: Host = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    cookies_file: CookiesFile = None,
    ca_file: CaFile = None,
    ui: Ui = None,
    minutes: Annotated[float, typer.Option(min=0.0, help="How far to look back: the time between two starts of this command.")] = 15.0,
) -> None:
    """Posts one line for each run that failed in the last minutes; to be started by cron as often, for scheduled runs."""
    from patina_pipelines import failures
    from patina_pipelines.cluster import Login, connect
    from patina_pipelines.submit import package

    backend, what = connect(Login(host, namespace, token_file, cookies_file, ca_file, ui)), package(pipeline)
    for run in failures.ended_badly(backend, minutes):
        line = failures.line(backend, run, what.stages)
        _say(line)
        failures.post(webhook_file, line)


def run_arguments(
    what: "Package",
    preset: str,
    data: str | None,
    architectures: str | None,
    changes: list[str] | None,
    pool: str,
    parameters: list[str] | None,
) -> dict[str, Any]:
    """The pipeline's arguments for a cluster, from what `patina run` takes, pools, and parameters given as they are.

    Raises:
        UsageError: an unknown preset, setting, architecture, pool or parameter.
    """
    from patina.core.config import parse_assignments
    from patina.models.architectures import parse_architectures
    from patina_pipelines import presets
    from patina_pipelines.resources import pools
    from patina_pipelines.submit import check_arguments

    if preset not in ("quick", "standard"):
        raise UsageError(f"unknown preset {preset!r}. Presets: quick, standard.")
    asked = parse_assignments(changes or [])
    if data is not None:
        asked["data"] = data
    if architectures is not None:
        asked["architectures"] = list(parse_architectures(architectures))
    settings = presets.with_changes(presets.preset(preset), asked)
    arguments = presets.pipeline_arguments(settings, cores=1)
    arguments |= {"architectures": pools(settings.architectures, pool), **parse_assignments(parameters or [])}
    check_arguments(arguments, what)
    return arguments


def _post(webhook_file: Path, line: str) -> None:
    """Posts `line`; that the run failed stays the news if this fails, too."""
    from patina_pipelines import failures

    try:
        failures.post(webhook_file, line)
    except PatinaError as error:
        typer.echo(f"warning: {error}", err=True)


def _say(line: str) -> None:
    Console(highlight=False).print(line, soft_wrap=True, markup=False)
