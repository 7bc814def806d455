"""A local run's folder: `run.json` says what was asked for and how it ended; everything else lies beside it."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from patina import __version__
from patina.core import provenance, storage
from patina.core.config import Config, explain
from patina.core.errors import DataRefused, UsageError

RECORD = "run.json"
_RUN_ID = re.compile(r"[a-z][a-z-]*-\d{8}T\d{6}Z-[0-9a-f]{6}")

RunState = Literal["running", "succeeded", "failed", "interrupted"]
Engine = Literal["subprocess", "docker"]


class Attempt(Config):
    """One start of a run: the first, or a resumption."""

    started: float
    """Unix time in seconds."""
    ended: float | None = None
    """Unix time in seconds; none while it runs, or if the machine went down."""
    code_digest: str
    """Digest of patina's source files."""
    libraries: dict[str, str]
    """Versions of Python and of the libraries that can change a result."""
    host: dict[str, str]
    """Facts of the machine."""


class Run(Config):
    """What `run.json` holds."""

    id: str
    """`<pipeline>-<UTC time>-<short id>`, also the folder's name."""
    pipeline: str
    """Name of the pipeline."""
    engine: Engine
    """Where the stages run."""
    state: RunState
    """Where it stands."""
    parameters: dict[str, Any]
    """Arguments of the pipeline, as they would be given on a cluster."""
    version: str = __version__
    """Version of patina that created it."""
    attempts: list[Attempt] = Field(default_factory=list)
    """Every start, in order."""


def create(runs: Path, pipeline: str, parameters: dict[str, Any], engine: Engine = "subprocess") -> Path:
    """Makes the folder of a new run below `runs` and returns it. A run knows its checkpoint folder from the start.

    Raises:
        UsageError: `runs` cannot be written.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = runs.resolve() / f"{pipeline}-{stamp}-{secrets.token_hex(3)}"
    try:
        for name in ("logs", "artifacts", "kfp", "checkpoints"):
            (folder / name).mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot make a run folder in {runs}: {error.strerror}. Choose a writable one with --runs.") from error
    parameters = {**parameters, "checkpoints": str(folder / "checkpoints")}
    save(folder, Run(id=folder.name, pipeline=pipeline, engine=engine, state="running", parameters=parameters))
    return folder


def save(folder: Path, run: Run) -> None:
    """Writes `run.json` atomically."""
    storage.write_json(folder / RECORD, run.model_dump(mode="json"))


def load(folder: Path) -> Run:
    """Reads `run.json`.

    Raises:
        DataRefused: it is not what this version writes.
    """
    try:
        return Run.model_validate_json((folder / RECORD).read_bytes())
    except OSError as error:
        raise DataRefused(f"{folder} has no readable {RECORD}: {error.strerror}. Is it a run's folder?") from error
    except ValidationError as error:
        raise DataRefused(f"{folder / RECORD}: {explain(Run, error)}. It was not written by this version of patina.") from error


def find(runs: Path, name: str) -> Path:
    """The folder of the run called `name`: its id, a unique beginning or end of it, `latest`, or its path.

    Raises:
        UsageError: no run, or several, fit.
    """
    if (Path(name) / RECORD).is_file():
        return Path(name).resolve()
    folders = listing(runs)
    if name == "latest" and folders:
        return folders[-1]
    fitting = [folder for folder in folders if folder.name.startswith(name) or folder.name.endswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    found = "no run fits" if not fitting else f"{len(fitting)} runs fit"
    known = ", ".join(folder.name for folder in folders[-3:]) or "none yet"
    raise UsageError(f"{found} {name!r} in {runs}. Newest runs: {known}. See `patina runs`.")


def listing(runs: Path) -> list[Path]:
    """Folders of the runs below `runs`, oldest first."""
    if not runs.is_dir():
        return []
    folders = (path for path in runs.resolve().iterdir() if _RUN_ID.fullmatch(path.name) and (path / RECORD).is_file())
    return sorted(folders, key=lambda path: path.name.split("-")[-2:])


def begin(folder: Path) -> Run:
    """Records a new attempt and marks the run as running."""
    run = load(folder)
    attempt = Attempt(
        started=datetime.now(UTC).timestamp(),
        code_digest=provenance.source_digest(),
        libraries=provenance.library_versions(),
        host=provenance.host_facts(),
    )
    run = run.model_copy(update={"state": "running", "attempts": [*run.attempts, attempt]})
    save(folder, run)
    return run


def finish(folder: Path, state: RunState) -> Run:
    """Records the end of the current attempt."""
    run = load(folder)
    last = run.attempts[-1].model_copy(update={"ended": datetime.now(UTC).timestamp()})
    run = run.model_copy(update={"state": state, "attempts": [*run.attempts[:-1], last]})
    save(folder, run)
    return run
