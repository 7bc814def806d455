"""What the stages of a local run are doing, read from the files that they leave beside their outputs."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from patina.core import artifact, storage
from patina.core.errors import DataRefused
from patina.core.session import LOG, STATE, StageState

DATA_STAGES = ("download", "split", "augment", "class_weights")


def expected_stages(parameters: dict[str, Any]) -> list[str]:
    """Names of the benchmark's stages in the order in which a person reads them."""
    names = [item["architecture"] for item in parameters["architectures"]]
    return [*DATA_STAGES, *(f"{stage}-{name}" for name in names for stage in ("train", "evaluate")), "compare"]


def task_folders(run: Path) -> list[Path]:
    """Folders of every task that started, oldest attempt first."""
    return sorted(path.parent for path in (run / "kfp").glob(f"*/**/{STATE}"))


def stage_states(run: Path) -> dict[str, tuple[Path, StageState]]:
    """Stage name -> (task folder, state) of its newest start; a stage whose process is dead is `failed`."""
    states: dict[str, tuple[Path, StageState]] = {}
    for folder in task_folders(run):
        try:
            state = StageState.model_validate_json((folder / STATE).read_bytes())
        except (OSError, ValidationError):
            continue  # being written this moment, or by another version: the engine's log has the rest
        states[state.name] = (folder, state)
    return states


def declare_dead(states: Iterable[tuple[Path, StageState]], *, contained: bool = False) -> None:
    """Writes the end of stages that say `running` but whose process is gone: killed, or out of memory.

    `contained`: they ran in containers, which are gone; a process id of a container means nothing outside.
    """
    for folder, state in states:
        if state.state == "running" and (contained or not _alive(state.pid)):
            message = f"{state.name} was killed before it could say why (out of memory?)."
            update = {"state": "failed", "error": "StageFailed", "message": message}
            storage.write_json(folder / STATE, state.model_copy(update=update).model_dump(mode="json"))


def link(run: Path, states: dict[str, tuple[Path, StageState]]) -> None:
    """Makes `logs/<stage>.log` and `artifacts/<stage>/<output>` point at each stage's newest start."""
    for name, (folder, _) in states.items():
        _point(run / "logs" / f"{name}.log", folder / LOG)
        for output in folder.iterdir():
            if output.name not in (STATE, LOG, "executor_output.json") and not output.name.startswith("."):
                _point(run / "artifacts" / name / output.name, output)


def forget_broken(run: Path) -> list[str]:
    """Removes kfp.local's cache entries whose artifacts are missing, damaged or unfinished; returns their stages.

    kfp.local looks only whether a path exists. What it would take for finished must first pass its own digests.
    """
    broken: list[str] = []
    for entry in sorted((run / "kfp" / "cache").glob("*.json")):
        try:
            outputs = [Path(value["uri"]) for value in storage.read_json(entry).values() if isinstance(value, dict)]
            for path in outputs:
                if (path / artifact.MANIFEST).is_file():
                    artifact.open_artifact(path, artifact.read_manifest(path).kind)
                elif path.is_dir() or not path.exists():
                    raise DataRefused(f"{path} is not a finished artifact")
        except (DataRefused, KeyError, AttributeError):
            broken.append(entry.stem)
            entry.unlink()
    return broken


def _point(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    relative = Path(os.path.relpath(target, path.parent))
    if path.is_symlink() and path.readlink() == relative:
        return
    path.unlink(missing_ok=True)
    path.symlink_to(relative)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
