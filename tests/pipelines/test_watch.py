"""What the stages leave on disk is the only thing that the screen and `--resume` believe."""

import json
from pathlib import Path

import pytest

from patina.core import artifact, storage
from patina.core.session import STATE, session
from patina_pipelines import watch


def task(run: Path, attempt: str, stage: str, label: str | None = None) -> Path:
    return run / "kfp" / attempt / (stage if label is None else f"loop-{label}/{stage}")


def finish(folder: Path, stage: str, label: str | None = None) -> None:
    with session(stage, str(folder / "out"), label=label):
        (folder / "out").mkdir()
        (folder / "out" / "payload.txt").write_text(stage)
        artifact.seal(folder / "out", "raw", inputs={}, config={}, image="test")


def test_the_newest_start_of_a_stage_counts(tmp_path: Path) -> None:
    with pytest.raises(SystemExit), session("split", str(task(tmp_path, "benchmark-1", "split") / "out")):
        raise OSError("disk on fire")
    assert watch.stage_states(tmp_path)["split"][1].state == "failed"
    finish(task(tmp_path, "benchmark-2", "split"), "split")
    assert watch.stage_states(tmp_path)["split"][1].state == "succeeded"


def test_siblings_are_told_apart_by_their_label(tmp_path: Path) -> None:
    for label in ("unet-mit_b0", "unet-convnext_atto"):
        finish(task(tmp_path, "benchmark-1", "train", label), "train", label)
    assert set(watch.stage_states(tmp_path)) == {"train-unet-mit_b0", "train-unet-convnext_atto"}


def test_a_stage_whose_process_is_gone_is_declared_dead(tmp_path: Path) -> None:
    folder = task(tmp_path, "benchmark-1", "split")
    finish(folder, "split")
    state = json.loads((folder / STATE).read_text())
    storage.write_json(folder / STATE, {**state, "state": "running", "ended": None, "pid": 2**22 + 1})  # above Linux' largest pid
    watch.declare_dead(watch.stage_states(tmp_path).values())
    dead = watch.stage_states(tmp_path)["split"][1]
    assert (dead.state, dead.message) == ("failed", "split was killed before it could say why (out of memory?).")


def test_logs_and_artifacts_are_reachable_by_stage_name(tmp_path: Path) -> None:
    finish(task(tmp_path, "benchmark-1", "split"), "split")
    watch.link(tmp_path, watch.stage_states(tmp_path))
    assert (tmp_path / "logs" / "split.log").is_file()
    assert (tmp_path / "artifacts" / "split" / "out" / "payload.txt").read_text() == "split"
    assert not (tmp_path / "artifacts" / "split" / "out").readlink().is_absolute(), "a run's folder can be moved"


@pytest.mark.parametrize("damage", ["flip", "unfinished", "missing"])
def test_resuming_does_not_believe_a_damaged_artifact(tmp_path: Path, damage: str) -> None:
    # kfp.local's cache asks only whether the path exists.
    folder = task(tmp_path, "benchmark-1", "split")
    finish(folder, "split")
    cache = tmp_path / "kfp" / "cache"
    cache.mkdir()
    storage.write_json(cache / "key.json", {"out": {"uri": str(folder / "out")}, "number": 3})
    assert watch.forget_broken(tmp_path) == []
    match damage:
        case "flip":
            (folder / "out" / "payload.txt").write_text("SPLIT")
        case "unfinished":
            (folder / "out" / artifact.MANIFEST).unlink()
        case "missing":
            (folder / "out").rename(tmp_path / "elsewhere")
    assert watch.forget_broken(tmp_path) == ["key"]
    assert not (cache / "key.json").exists()
