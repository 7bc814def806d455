"""Every mistake that a person can make on the command line: one clear line, the exit code of design, no traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TINY = ("--set", "pictures=12", "--set", "epochs=1")


def patina(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "patina_pipelines", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def assert_one_clear_error(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    message = result.stderr.strip()
    assert len(message.splitlines()) <= 2, message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--architectures", "unet-resnet"), ("unet-resnet", "unet-resnet10t"), id="unknown architecture"),
        pytest.param(("--set", "train.optimizer.learning_rat=0.1"), ("learning_rat", "train.optimizer.learning_rate"), id="unknown key"),
        pytest.param(("--set", "split.tst=0.1"), ("split.tst", "split."), id="unknown key of a data stage"),
        pytest.param(("--set", "epochs=many"), ("epochs", "many", "integer"), id="wrong type"),
        pytest.param(("--set", "tile_size=100"), ("tile_size", "32"), id="impossible value"),
        pytest.param(("--set", "epochs"), ("key=value", "epochs"), id="no assignment"),
        pytest.param(("--preset", "slow"), ("slow", "quick, standard"), id="unknown preset"),
        pytest.param(("--resume", "nothing"), ("nothing", "none yet"), id="unknown run"),
        pytest.param(("--resume", "latest", "--set", "epochs=2"), ("--resume", "own settings"), id="resume with other settings"),
        pytest.param(("nonsense",), ("nonsense", "benchmark"), id="unknown pipeline"),
    ],
)
def test_wrong_usage_exits_2(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_one_clear_error(patina("run", *arguments, cwd=tmp_path), 2, *words)
    assert not (tmp_path / "runs").exists(), "nothing is started"


def missing_folder(folder: Path) -> Path:
    return folder / "nowhere"


def empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def unreadable_parquet(folder: Path) -> Path:
    (folder / "train-00000-of-00001.parquet").write_bytes(b"PAR1 this is none PAR1")
    return folder


def wrong_columns(folder: Path) -> Path:
    pq.write_table(pa.table({"id": ["a"], "picture": [b"x"]}), folder / "train-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing_folder, ("nowhere",)),
        (empty_folder, ("empty", "parquet")),
        (unreadable_parquet, ("train-00000-of-00001.parquet",)),
        (wrong_columns, ("train-00000-of-00001.parquet", "annotation: no such column")),
    ],
)
def test_refused_data_exits_3(tmp_path: Path, make, words: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    result = patina("run", "--data", str(make(data)), *TINY, cwd=tmp_path)
    assert result.returncode == 3, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    first, *rest = result.stderr.strip().splitlines()
    assert all(word in first for word in words), first
    assert "logs/download.log" in first
    assert len(rest) == 1
    assert "--resume" in rest[0]


def test_help_needs_neither_kfp_nor_torch(tmp_path: Path) -> None:
    script = "import sys, patina_pipelines.cli; print(sorted({'kfp', 'torch', 'pandas'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_stale_compiled_files_exit_2(tmp_path: Path) -> None:
    (tmp_path / "benchmark.yaml").write_text("old")
    result = patina("compile", "--check", "--output", str(tmp_path), cwd=tmp_path)
    assert_one_clear_error(result, 2, "benchmark.yaml", "patina compile")


def test_the_hint_to_go_on_names_the_folder_only_if_it_is_not_the_usual_one(tmp_path: Path) -> None:
    usual = patina("run", "--data", "nowhere", cwd=tmp_path).stderr
    other = patina("run", "--data", "nowhere", "--runs", "other", cwd=tmp_path).stderr
    assert "--resume" in usual
    assert "--runs" not in usual
    assert f"--runs {tmp_path / 'other'}" in other


def test_compile_options_and_pinned_images_reach_the_file(tmp_path: Path) -> None:
    digests = tmp_path / "digests.json"
    digests.write_text(json.dumps(dict.fromkeys(("data", "torch"), "sha256:" + "a" * 64)))
    pinned = ("--registry", "registry.example.org/patina", "--digests", str(digests))
    result = patina("compile", "--output", "out", *pinned, "--set", "training_queue=training", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "out" / "benchmark.yaml").read_text()
    assert text.count("registry.example.org/patina/torch@sha256:") == 2
    assert "kueue.x-k8s.io/queue-name: training" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compile", "--set", "retry=1"), ("retry", "retries")),
        (("compile", "--check", "--set", "retries=1"), ("--check", "--set")),
        (("compile", "--registry", "registry.example.org/patina"), ("--digests", "digests.json")),
        (("submit", "--pool", "tpu"), ("--pool", "tpu")),
        (("submit", "nonsense"), ("nonsense", "benchmark")),
        (("schedule",), ("--cron", "--every")),
    ],
)
def test_wrong_usage_of_the_cluster_s_commands_exits_2(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_one_clear_error(patina(*arguments, cwd=tmp_path), 2, *words)
