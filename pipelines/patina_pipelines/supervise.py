"""Starts the engine of a local run, watches it, and stops its processes in order when the person says so."""

import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from patina.core.session import StageState
from patina_pipelines import docker_engine, lineage, runs, watch
from patina_pipelines.interrupts import interruptible

GRACE_SECONDS = 60.0
"""How long a stopped training may take to finish its step and write its checkpoint."""
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class StageView:
    """One row of the table: a stage as the person sees it."""

    name: str
    state: StageState | None
    """None while it waits."""
    kept: bool
    """Done in an earlier attempt and still valid."""


Show = Callable[[list[StageView]], None]


def execute(folder: Path, show: Show, max_seconds: float | None = None) -> runs.RunState:
    """Runs (or goes on with) the run in `folder` and returns how it ended.

    Args:
        folder: the run.
        show: gets the stages several times a second.
        max_seconds: time after which the run is stopped in order, as Ctrl-C stops it; None sets no limit.
    """
    run = runs.begin(folder)
    started = run.attempts[-1].started
    contained = run.engine == "docker"
    if contained:
        docker_engine.stop(run.id, GRACE_SECONDS)  # those of an attempt that was killed
    watch.declare_dead(watch.stage_states(folder).values(), contained=contained)
    watch.forget_broken(folder)
    expected = watch.expected_stages(run.parameters)
    with (folder / "logs" / "engine.log").open("ab") as log, interruptible(max_seconds):
        engine = subprocess.Popen(
            [sys.executable, "-m", "patina_pipelines.engine", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only this process, which then stops the stages in order
        )
        outcome: runs.RunState
        try:
            while engine.poll() is None:
                show(_views(folder, expected, started))
                time.sleep(_POLL_SECONDS)
            outcome = "succeeded" if engine.returncode == 0 else "failed"
        except KeyboardInterrupt:
            _stop(engine, run.id if contained else None)
            outcome = "interrupted"
    states = watch.stage_states(folder)
    watch.declare_dead(states.values(), contained=contained)
    watch.link(folder, states)
    if outcome == "failed" and any(state.state == "interrupted" for _, state in states.values() if (state.ended or 0) >= started):
        outcome = "interrupted"
    runs.finish(folder, outcome)
    lineage.write(folder)
    show(_views(folder, expected, started))
    return outcome


def stage_views(folder: Path) -> list[StageView]:
    """The stages of the run in `folder` as they stand now."""
    run = runs.load(folder)
    started = run.attempts[-1].started if run.attempts else 0.0
    return _views(folder, watch.expected_stages(run.parameters), started)


def _views(folder: Path, expected: list[str], started: float) -> list[StageView]:
    states = watch.stage_states(folder)
    watch.link(folder, states)
    views = []
    for name in expected:
        state = states[name][1] if name in states else None
        old = state is not None and state.ended is not None and state.ended < started
        kept = old and state is not None and state.state == "succeeded"
        views.append(StageView(name, None if old and not kept else state, kept))
    return views


def _stop(engine: subprocess.Popen[bytes], contained_run: str | None) -> None:
    """Lets the stages finish their step and checkpoint, while the engine can start nothing new; then ends it.

    `contained_run`: id of a run whose stages are containers and no children of the engine.
    """
    parent = psutil.Process(engine.pid)
    parent.suspend()
    try:
        if contained_run is None:
            _stop_all(parent.children(recursive=True))
        else:
            docker_engine.stop(contained_run, GRACE_SECONDS)
    finally:
        with _gone():
            parent.kill()
        engine.wait()


def _stop_all(stages: list[psutil.Process]) -> None:
    for process in stages:
        with _gone():
            process.terminate()
    _, alive = psutil.wait_procs([process for process in stages if _running(process)], timeout=0.5)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(_running(process) for process in alive) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in alive:
        with _gone():
            process.kill()


def _running(process: psutil.Process) -> bool:
    # the suspended engine cannot reap its children: a finished stage is a zombie until the engine is gone
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _gone() -> Generator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return  # it ended by itself, which is what was wanted
