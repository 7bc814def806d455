"""The process that executes a local run: `python -m patina_pipelines.engine RUN_FOLDER`.

A process of its own, because kfp.local prints to the screen, patches `builtins.print` and keeps global state. What it
prints goes to `logs/engine.log`. It exits 0 when every stage succeeded, 1 otherwise; the stages' own state files say why.
"""

import sys
from pathlib import Path

from patina.core import provenance
from patina.core.errors import PatinaError
from patina_pipelines import compiled, docker_engine, runs


def main(folder: Path) -> int:
    """Executes the run in `folder`."""
    from kfp import local

    run = runs.load(folder)
    component = compiled.pipeline(run.pipeline)
    try:
        match str(run.engine):
            case "docker":
                images, runner = docker_engine.images(), docker_engine.runner(folder, run.parameters)
            case _:
                images, runner = compiled.local_images(provenance.source_digest()), local.SubprocessRunner(use_venv=False)
        compiled.use_images(component, images)
        local.init(
            runner=runner,
            pipeline_root=str(folder / "kfp"),
            raise_on_error=True,
            enable_caching=True,
            cache_root=str(folder / "kfp" / "cache"),
        )
        component(**run.parameters)
    except (RuntimeError, PatinaError) as error:  # kfp.local's word for a failed task, or ours for an engine that went away
        sys.stderr.write(f"{error}\n")
        return 1
    if unfinished := docker_engine.unfinished(folder, run.parameters):
        sys.stderr.write(f"kfp took for done what is not: {', '.join(unfinished)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
