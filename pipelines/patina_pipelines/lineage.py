"""What a local run made from what: kfp.local records none of it, the artifacts' manifests hold all of it."""

from pathlib import Path
from typing import Any

from patina.core import artifact, storage
from patina_pipelines import runs, watch


def collect(folder: Path) -> dict[str, Any]:
    """Every stage of the run in `folder` with its state, times, code and configuration digests, inputs and outputs."""
    run = runs.load(folder)
    stages = []
    for name, (task, state) in sorted(watch.stage_states(folder).items(), key=lambda entry: entry[1][1].started):
        outputs = {}
        for manifest_path in sorted(task.glob(f"*/{artifact.MANIFEST}")):
            manifest = artifact.read_manifest(manifest_path.parent)
            outputs[manifest_path.parent.name] = {
                "kind": manifest.kind,
                "digest": manifest.digest,
                "inputs": manifest.inputs,
                "config": manifest.config,
                "config_digest": manifest.config_digest,
                "code_digest": manifest.code_digest,
                "path": manifest_path.parent.relative_to(folder).as_posix(),
            }
        stages.append(
            {
                "stage": name,
                "state": state.state,
                "started": state.started,
                "ended": state.ended,
                "peak_rss_bytes": state.peak_rss_bytes,
                "message": state.message,
                "outputs": outputs,
            }
        )
    return {"run": run.id, "pipeline": run.pipeline, "engine": run.engine, "state": run.state, "version": run.version, "stages": stages}


def write(folder: Path) -> None:
    """Writes `lineage.json` atomically."""
    storage.write_json(folder / "lineage.json", collect(folder))
