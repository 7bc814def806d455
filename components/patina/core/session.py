"""What surrounds every stage: its log, its state and progress for whoever watches, and one clear line when it fails.

A stage writes `state.json` and `stage.log` beside its outputs. They are no artifacts: on a cluster they vanish with the
pod (its own log is what people read there); a local run shows them live and keeps them.
"""

import json
import logging
import math
import os
import resource
import sys
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from patina.core import storage
from patina.core.config import Config
from patina.core.errors import Interrupted, PatinaError, StageFailed, StorageError

STATE = "state.json"
LOG = "stage.log"


class Progress(Config):
    """How far a stage has come; every field is optional because stages differ."""

    done: int | None = Field(default=None, ge=0)
    """Units finished (pictures, epochs)."""
    total: int | None = Field(default=None, ge=0)
    """Units in all."""
    unit: str | None = None
    """Plural name of the unit, for instance `epochs`."""
    miou: float | None = Field(default=None, ge=0, le=1)
    """Current validation mIoU, 0..1."""
    seconds_left: float | None = Field(default=None, ge=0)
    """Estimated time left in seconds."""


class StageState(Config):
    """What `state.json` holds."""

    stage: str
    """Name of the stage."""
    label: str | None = None
    """What distinguishes it from its siblings: the architecture."""
    state: Literal["running", "succeeded", "failed", "interrupted"]
    """Where it stands; `running` with a dead `pid` means that it was killed."""
    pid: int
    """Process id."""
    started: float
    """Unix time in seconds."""
    ended: float | None = None
    """Unix time in seconds."""
    progress: Progress = Progress()
    """How far it has come."""
    peak_rss_bytes: int | None = None
    """Largest resident memory of the process."""
    error: str | None = None
    """Class name of the error."""
    message: str | None = None
    """One or two lines for the person who runs it."""

    @property
    def name(self) -> str:
        """`stage` or `stage-label`."""
        return self.stage if self.label is None else f"{self.stage}-{self.label}"


class Session:
    """A running stage; `report` tells how far it has come, at most twice a second."""

    def __init__(self, folder: Path, stage: str, label: str | None) -> None:
        self._folder = folder
        self._state = StageState(stage=stage, label=label, state="running", pid=os.getpid(), started=time.time())
        self._written = 0.0
        self._write()

    def report(self, done: int, total: int, unit: str, miou: float | None = None, seconds_left: float | None = None) -> None:
        """Tells that `done` of `total` units are finished; an mIoU that is NaN (no labelled pixel) is left out."""
        progress = Progress(done=done, total=total, unit=unit, miou=_finite(miou), seconds_left=_finite(seconds_left))
        self._state = self._state.model_copy(update={"progress": progress})
        if done >= total or time.monotonic() - self._written > 0.5:
            self._write()

    def close(self, state: Literal["succeeded", "failed", "interrupted"], error: PatinaError | None = None) -> None:
        """Writes the end of the stage."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        update: dict[str, Any] = {"state": state, "ended": time.time(), "peak_rss_bytes": peak}
        if error is not None:
            update |= {"error": type(error).__name__, "message": str(error)}
        self._state = self._state.model_copy(update=update)
        self._write()

    def _write(self) -> None:
        storage.write_json(self._folder / STATE, json.loads(self._state.model_dump_json()))
        self._written = time.monotonic()


@contextmanager
def session(stage: str, output: str, label: str | None = None) -> Generator[Session]:
    """Surrounds the work of one stage.

    Args:
        stage: name of the stage.
        output: path of any output of the stage; log and state go into its parent folder.
        label: what distinguishes it from its siblings, for instance the architecture.

    Raises:
        SystemExit: with the error's exit code, also where the disk is too full to write the state; the traceback is in
            the log, its last line says what to do.
    """
    folder = Path(output).parent
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    current = Session(folder, stage, label)
    try:
        yield current
    except PatinaError as error:
        _fail(current, stage, error)
        raise SystemExit(error.exit_code) from error
    except Exception as error:
        failure = StageFailed(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}")
        _fail(current, stage, failure)
        raise SystemExit(failure.exit_code) from error
    else:
        current.close("succeeded")
    finally:
        root.removeHandler(handler)
        handler.close()


def _fail(current: Session, stage: str, error: PatinaError) -> None:
    logging.getLogger(__name__).error("%s: %s\n%s", stage, error, traceback.format_exc())
    try:
        current.close("interrupted" if isinstance(error, Interrupted) else "failed", error)
    except StorageError as fault:
        logging.getLogger(__name__).error("%s: its end is not in %s: %s", stage, STATE, fault)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
