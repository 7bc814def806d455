"""The command line: `patina run`, `compile`, `runs`, `show`, `leaks`. Errors are one or two lines; exit codes: `patina.core.errors`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from patina.core.errors import ERRORS_BY_NAME, DataRefused, Interrupted, PatinaError, StageFailed, UsageError
from patina_pipelines import bucket_cli, cluster_cli

app = typer.Typer(
    help="Trains and compares segmentation models for damage on heritage pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunsOption = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.")]
DEFAULT_RUNS = Path("runs")


def main() -> NoReturn:
    """Entry point of the console script: every expected error becomes one line and its exit code."""
    try:
        app()
    except PatinaError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(error.exit_code)
    sys.exit(0)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")] = "benchmark",
    preset: Annotated[str, typer.Option(help="quick (minutes on a laptop) or standard (GPUs).")] = "quick",
    data: Annotated[str | None, typer.Option(help="sample, a folder, s3://bucket/prefix, or hf://danielaivanova/damaged-media.")] = None,
    architectures: Annotated[str | None, typer.Option(help="Comma-separated subset, for instance unet-mit_b0,unet-convnext_atto.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Changes one setting; repeatable.")] = None,
    runs_folder: RunsOption = DEFAULT_RUNS,
    engine: Annotated[str | None, typer.Option(help="Where stages run: subprocess (here) or docker (in the project's images).")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Goes on with this run: an id, its end, its folder, or latest.")] = None,
    max_hours: Annotated[
        float | None, typer.Option(min=0.0001, help="Stops in order after so many hours and exits 75; --resume then goes on.")
    ] = None,
) -> None:
    """Runs a pipeline on this machine, from pictures to a report."""
    from patina_pipelines import docker_engine, runs
    from patina_pipelines.compiled import PIPELINES

    if pipeline not in PIPELINES:
        raise UsageError(f"unknown pipeline {pipeline!r}. Pipelines: {', '.join(PIPELINES)}.")
    if resume is None:
        arguments = _arguments(preset, data, architectures, changes or [])
        folder = runs.create(runs_folder, pipeline, arguments, _engine(engine, arguments))
    elif data is not None or architectures is not None or changes or engine is not None:
        raise UsageError("--resume goes on with the run's own settings, got others beside it. Leave them out, or start a new run.")
    else:
        folder = runs.find(runs_folder, resume)
        if (record := runs.load(folder)).engine == "docker":
            docker_engine.check(record.parameters)
    _execute(folder, max_hours)


@app.command("compile")
def compile_(
    check: Annotated[bool, typer.Option("--check", help="Compares instead of writing; exits 2 if a file is stale.")] = False,
    output: Annotated[Path, typer.Option(help="Folder of the compiled pipelines.")] = Path("manifests/compiled"),
    registry: Annotated[str | None, typer.Option(help="Where the images lie, for instance registry.example.org/patina.")] = None,
    digests: Annotated[Path, typer.Option(help="Digests of the images, as images/build.sh writes them.")] = Path("images/digests.json"),
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Changes one option; repeatable.")] = None,
) -> None:
    """Writes the pipelines as YAML for Kubeflow Pipelines, or compares them with the committed files."""
    from patina.core.config import override, parse_assignments
    from patina_pipelines import compile_options, compiled

    if check and (registry is not None or changes):
        raise UsageError("--check compares the default compilation. Leave --registry and --set out.")
    if not check:
        options = override(compile_options.CompileOptions(), parse_assignments(changes or []), "compile")
        images = None if registry is None else compile_options.pinned_images(registry, digests)
        for path in compiled.compile_all(output, options, images):
            typer.echo(path)
    elif stale := compiled.stale(output):
        raise UsageError(f"{', '.join(stale)} in {output} differ from the code. Run `patina compile` and commit the result.")


for command in (cluster_cli.submit, cluster_cli.schedule, cluster_cli.watch, bucket_cli.mirror, bucket_cli.prune, bucket_cli.publish):
    app.command()(command)


@app.command("runs")
def runs_(runs_folder: RunsOption = DEFAULT_RUNS) -> None:
    """Lists the runs, oldest first."""
    from rich.table import Table

    from patina_pipelines import runs

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "state", "attempts", "data"):
        table.add_column(heading, no_wrap=True)
    for folder in runs.listing(runs_folder):
        record = runs.load(folder)
        table.add_row(record.id, record.state, str(len(record.attempts)), escape(str(record.parameters.get("data"))))
    _console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN", help="An id, its end, its folder, or latest.")],
    runs_folder: RunsOption = DEFAULT_RUNS,
) -> None:
    """Prints a run's stages, states, times, metrics and artifacts."""
    from patina_pipelines import display, lineage, runs, supervise

    folder = runs.find(runs_folder, name)
    record, console = runs.load(folder), _console()
    console.print(f"{record.id}: {record.state}, {len(record.attempts)} attempt(s)", highlight=False)
    console.print(display.stage_table(supervise.stage_views(folder)))
    for stage in lineage.collect(folder)["stages"]:
        for output, made in stage["outputs"].items():
            line = f"{stage['stage']}/{output}  {made['kind']}  {made['digest'][:12]}  {made['path']}"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    if record.state == "succeeded":
        display.closing(console, folder, *_comparison(folder))


@app.command()
def leaks(
    left: Annotated[str, typer.Argument(help="A raw or tiles artifact, or a folder of pictures; TILES:train or TILES:val for one side.")],
    right: Annotated[str, typer.Argument(help="Likewise.")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Writes the findings as a page, too.")] = None,
) -> None:
    """Checks whether two sets of pictures stand apart; exits 3 if they share a picture, a group, a donor or a near-duplicate."""
    from patina.core import storage
    from patina.likeness.leaks import check_leaks
    from patina.likeness.page import leak_page
    from patina.likeness.sets import open_named

    report = check_leaks(open_named(left), open_named(right))
    if html is not None:
        storage.write_text(html, leak_page(report))
    for name, shared in report.sorts():
        for pair in shared.pairs:
            typer.echo(f"{name}: {pair.left} | {pair.right} | {pair.what}")
        if shared.count > len(shared.pairs):
            typer.echo(f"{name}: {shared.count - len(shared.pairs)} more")
    for sentence in report.compared:
        typer.echo(sentence)
    if report.found:
        raise DataRefused(f"{report.sentences()[0]} Remove from one of them what is named above.")
    typer.echo(report.sentences()[0])


def _engine(name: str | None, arguments: dict[str, Any]) -> Literal["subprocess", "docker"]:
    """The engine called `name`, after a look whether it can run a pipeline with these `arguments`."""
    match name:
        case None | "subprocess":
            return "subprocess"
        case "docker":
            from patina_pipelines import docker_engine

            docker_engine.check(arguments)
            return "docker"
        case _:
            raise UsageError(f"unknown engine {name!r}. Engines: subprocess, docker.")


def _arguments(preset_name: str, data: str | None, architectures: str | None, assignments: list[str]) -> dict[str, Any]:
    from patina.core.config import parse_assignments
    from patina.models.architectures import parse_architectures
    from patina_pipelines import presets

    if preset_name not in ("quick", "standard"):
        raise UsageError(f"unknown preset {preset_name!r}. Presets: quick, standard.")
    changes = parse_assignments(assignments)
    if data is not None:
        changes["data"] = data
    if architectures is not None:
        changes["architectures"] = list(parse_architectures(architectures))
    asked = presets.with_changes(presets.preset(preset_name), changes)
    arguments = presets.pipeline_arguments(
        asked, cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if asked.data != "sample" and "://" not in asked.data:
        arguments["data"] = str(Path(asked.data).expanduser().resolve())
    return arguments


def _execute(folder: Path, max_hours: float | None) -> None:
    from patina_pipelines import display, supervise

    console = _console()
    console.print(f"run: {folder}", soft_wrap=True, highlight=False, markup=False)
    with display.live(console) as show_stages:
        outcome = supervise.execute(folder, show_stages, None if max_hours is None else 3600 * max_hours)
    elsewhere = "" if folder.parent == DEFAULT_RUNS.resolve() else f" --runs {folder.parent}"
    resume = f"Go on with: patina run --resume {folder.name}{elsewhere}"
    if outcome == "interrupted":
        raise Interrupted(f"stopped; what is finished is kept. {resume}")
    if outcome == "failed":
        raise _failure(folder, resume)
    display.closing(console, folder, *_comparison(folder))


def _failure(folder: Path, resume: str) -> PatinaError:
    """The error of the stages that failed: their own words, where the log lies, and how to go on."""
    from patina_pipelines import supervise

    failed = [view for view in supervise.stage_views(folder) if view.state is not None and view.state.state == "failed"]
    if not failed:
        return StageFailed(f"the engine stopped before a stage could say why. See {folder / 'logs' / 'engine.log'}. {resume}")
    lines = [f"{view.name}: {view.state.message} Log: {folder / 'logs' / view.name}.log" for view in failed if view.state is not None]
    first = failed[0].state
    kind = ERRORS_BY_NAME.get(first.error or "", StageFailed) if first is not None else StageFailed
    return kind("\n".join((*lines, resume)))


def _comparison(folder: Path) -> tuple[dict[str, Any], Path]:
    """The summary of the finished run in `folder` and the path of its report, which also lies at the top of the run."""
    from patina.core import storage

    comparison = folder / "artifacts" / "compare" / "comparison"
    report = folder / "report.html"
    storage.write_bytes(report, (comparison / "report.html").read_bytes())
    return storage.read_json(comparison / "summary.json"), report


def _console() -> Console:
    return Console(highlight=False)
