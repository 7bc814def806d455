"""`patina mirror`, `prune` and `publish`: the command line's part that speaks to an object store."""

from pathlib import Path
from typing import Annotated

import typer


def mirror(
    source: Annotated[str, typer.Argument(help="A folder, hf://danielaivanova/damaged-media, or none.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix")],
    encoders: Annotated[str | None, typer.Option(help="Architectures whose ImageNet weights are copied, too; comma-separated.")] = None,
) -> None:
    """Copies a data set and encoder weights into a bucket, for clusters that reach no hub."""
    from patina.models.architectures import parse_architectures
    from patina_pipelines.mirror import mirror as copy

    done = copy(source, target, encoders=parse_architectures(encoders) if encoders else ())
    typer.echo(f"{done.files} files, {done.bytes / 1e6:.0f} MB; {done.sent} sent, the others were there.")


def prune(
    target: Annotated[str, typer.Argument(help="A folder of runs, or s3://bucket/prefix.")],
    keep: Annotated[int, typer.Option(min=0, help="Newest runs that stay.")] = 10,
    days: Annotated[float, typer.Option(min=0, help="Younger objects in a bucket stay.")] = 7.0,
    delete: Annotated[bool, typer.Option("--delete", help="Removes; without it only lists.")] = False,
) -> None:
    """Lists what may go from a folder of runs or a bucket; removes it with --delete."""
    from patina_pipelines import prune as pruning

    planned = pruning.plan(target, keep=keep, days=days)
    for each in planned.candidates:
        typer.echo(f"{each.name}  {each.bytes / 1e6:.1f} MB  {each.why}")
    typer.echo(f"{len(planned.candidates)} may go, {planned.kept} files or runs stay, {planned.foreign} are not patina's.")
    if delete:
        pruning.remove(target, planned)
        typer.echo("removed")


def publish(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, its end, its folder, or latest.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/prefix")],
    runs_folder: Annotated[Path, typer.Option("--runs", help="Folder of the runs.")] = Path("runs"),
) -> None:
    """Copies a finished run's report into a bucket."""
    from patina_pipelines import runs
    from patina_pipelines.publish import publish as copy

    typer.echo(copy(runs.find(runs_folder.resolve(), name), target))
