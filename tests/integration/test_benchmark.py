"""The whole benchmark through kfp.local, as a person runs it; tiny, and asserted on what it leaves on disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from patina.core import artifact
from patina_pipelines import runs, supervise, watch

ARCHITECTURES = ("unet-mit_b0", "unet-resnet10t")
TINY = (
    *("--architectures", ",".join(ARCHITECTURES)),
    *("--set", "pictures=16", "--set", "tile_size=64", "--set", "epochs=2", "--set", "augment.windows_per_picture=6"),
    *("--set", "train.checkpoint_seconds=0"),
)
REAL = Path(__file__).parents[3] / "shared" / "data" / "real"


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "patina_pipelines", "run", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def training(run: Path, architecture: str, least_epochs: int) -> psutil.Process:
    """Waits until the training of `architecture` has finished `least_epochs`; returns its process."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        found = watch.stage_states(run).get(f"train-{architecture}")
        if found is not None and found[1].state == "running" and (found[1].progress.done or 0) >= least_epochs:
            return psutil.Process(found[1].pid)
        assert found is None or found[1].state == "running", f"it ended too early: {found}"
        time.sleep(0.05)
    raise AssertionError(f"{architecture} never finished epoch {least_epochs}")


def only_run(cwd: Path) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if folders := runs.listing(cwd / "runs"):
            return folders[0]
        time.sleep(0.05)
    raise AssertionError("no run appeared")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def finished(workplace: Path) -> tuple[Path, str]:
    """A finished run and what it printed."""
    code, out, err = finish(start(workplace, *TINY))
    assert code == 0, err
    return only_run(workplace), out


def test_every_artifact_is_sealed_and_says_what_it_is(finished: tuple[Path, str]) -> None:
    run, _ = finished
    kinds = {
        "download/raw": "raw",
        "split/splits": "splits",
        "split/test_images": "raw",
        "augment/tiles": "tiles",
        "class_weights/weights": "weights",
        "compare/comparison": "comparison",
        "compare/champion": "model",
    }
    kinds |= {f"train-{name}/model": "model" for name in ARCHITECTURES}
    kinds |= {f"evaluate-{name}/evaluation": "evaluation" for name in ARCHITECTURES}
    for place, kind in kinds.items():
        assert artifact.open_artifact(run / "artifacts" / place, kind).kind == kind, "opening checks every file's digest"


def test_lineage_joins_every_stage_by_content(finished: tuple[Path, str]) -> None:
    run, _ = finished
    stages = json.loads((run / "lineage.json").read_text())["stages"]
    digests = {output["digest"] for stage in stages for output in stage["outputs"].values()}
    inputs = {digest for stage in stages for output in stage["outputs"].values() for digest in output["inputs"].values()}
    assert len(stages) == 4 + 2 * len(ARCHITECTURES) + 1
    assert inputs <= digests


def test_no_test_picture_was_trained_on(finished: tuple[Path, str]) -> None:
    run, _ = finished
    splits = pq.read_table(run / "artifacts" / "split" / "splits" / "splits.parquet").to_pydict()
    test_ids = {name for name, part in zip(splits["id"], splits["split"], strict=True) if part == "test"}
    tiles = pq.read_table(run / "artifacts" / "augment" / "tiles" / "tiles.parquet", columns=["source"])
    scored = pq.read_table(run / "artifacts" / f"evaluate-{ARCHITECTURES[0]}" / "evaluation" / "confusion.parquet", columns=["id"])
    assert test_ids
    assert not test_ids & set(tiles["source"].to_pylist())
    assert set(scored["id"].to_pylist()) == test_ids


def test_the_screen_shows_stages_ranking_and_report_but_nothing_of_kfp(finished: tuple[Path, str]) -> None:
    run, out = finished
    assert "KFP" not in out
    assert "train-unet-mit_b0" in out
    assert "2/2 epochs" in out
    assert "95 % interval" in out
    assert f"report: {run / 'report.html'}" in out
    assert (run / "report.html").stat().st_size > 10_000


def test_the_stage_logs_hold_what_the_screen_does_not(finished: tuple[Path, str]) -> None:
    run, _ = finished
    names = {path.stem for path in (run / "logs").glob("*.log")}
    assert names == {*watch.expected_stages(runs.load(run).parameters), "engine"}
    assert "Executing task" in (run / "logs" / "engine.log").read_text()


def test_a_finished_run_resumes_to_the_same_end_without_doing_anything(finished: tuple[Path, str], workplace: Path) -> None:
    run, _ = finished
    before = {path: path.stat().st_mtime_ns for path in watch.task_folders(run)}
    code, out, err = finish(start(workplace, "--resume", run.name))
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in watch.task_folders(run)} == before
    assert out.count("kept") == len(watch.expected_stages(runs.load(run).parameters))


def test_show_and_runs_tell_what_happened(finished: tuple[Path, str], workplace: Path) -> None:
    run, _ = finished
    for command in (["runs"], ["show", "latest"]):
        out = subprocess.run(
            [sys.executable, "-m", "patina_pipelines", *command], cwd=workplace, capture_output=True, text=True, check=True
        )
        assert run.name in out.stdout
        assert "succeeded" in out.stdout


def test_a_killed_training_costs_only_itself_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """One test for `kill -9`, for "one architecture fails" and for resuming, because each run costs half a minute."""
    process = start(tmp_path, *TINY, "--set", "epochs=6")
    run = only_run(tmp_path)
    victim, other = ARCHITECTURES
    training(run, victim, least_epochs=2).kill()
    code, _, err = finish(process)
    assert code == 5, err
    assert f"train-{victim}" in err
    assert "--resume" in err
    assert "Traceback" not in err
    states = watch.stage_states(run)
    assert states[f"evaluate-{other}"][1].state == "succeeded", "the others' artifacts stay"
    assert "compare" not in states, "no partial ranking"
    kept = {name: folder for name, (folder, state) in states.items() if state.state == "succeeded"}

    code, _, err = finish(start(tmp_path, "--resume", run.name))
    assert code == 0, err
    after = watch.stage_states(run)
    assert {name: after[name][0] for name in kept} == kept, "nothing that was done is done again"
    assert "going on after epoch" in (run / "logs" / f"train-{victim}.log").read_text()
    assert after["compare"][1].state == "succeeded"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_process_and_can_be_resumed(tmp_path: Path, stop: signal.Signals) -> None:
    process = start(tmp_path, "--architectures", "unet-mit_b0", *TINY[2:], "--set", "epochs=50")
    run = only_run(tmp_path)
    trainer = training(run, "unet-mit_b0", least_epochs=1)
    process.send_signal(stop)
    code, _, err = finish(process)
    assert code == 75, err
    assert "--resume" in err
    assert not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE
    assert runs.load(run).state == "interrupted"
    assert [view.name for view in supervise.stage_views(run) if view.state is not None and view.state.state == "interrupted"] == [
        "train-unet-mit_b0"
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="real data: ../shared/data/real is not beside the checkout")
def test_eight_real_partly_labelled_pictures_run_through_to_a_report(tmp_path: Path) -> None:
    code, out, err = finish(start(tmp_path, "--data", os.path.relpath(REAL, tmp_path), *TINY))
    assert code == 0, err
    summary = json.loads((only_run(tmp_path) / "artifacts" / "compare" / "comparison" / "summary.json").read_text())
    assert summary["test_pictures"] < 20
    assert summary["warnings"]
    assert summary["conclusion"] in " ".join(out.split()) or summary["conclusion"][:60] in out
