"""The stage on a tiny tiles artifact: what it writes, that it repeats itself, and that nothing stops it for good."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from patina.core import storage
from patina.core.artifact import Manifest, open_artifact, seal
from patina.core.errors import DataRefused, Interrupted, StageFailed, UsageError
from patina.core.model_card import read_model_card
from patina.core.session import Session
from patina.core.taxonomy import IGNORE
from patina.core.tiles import Geometry, TileRecord, TileWriter
from patina.core.weights import COUNTED, SCHEMES
from patina.models import load
from patina.train.stage import configured, run

SIZE = 64
SETTINGS = {"decoder_channels": [8, 8, 8, 8, 8], "batch_size": 3, "checkpoint_seconds": 0.0}
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
CHILD = """
import sys
from pathlib import Path
from patina.core.session import session
from patina.train.stage import run
tiles, weights, model, checkpoints, settings = sys.argv[1:]
with session("train", model) as progress:
    run(tiles, weights, model, architecture="unet-mit_b0", recipe="quick", epochs=3, seed=5, cpu=1,
        checkpoints=checkpoints, settings=settings, progress=progress)
"""


def make_tiles(folder: Path, splits: str = "tttttttvv", label: int | None = None, folds: str = "") -> Path:
    """Tiles whose left part is Clean and whose right part is of a class; `label` fills the masks of the validation tiles, `folds`
    has a digit per tile."""
    rng = np.random.default_rng(0)
    with TileWriter(folder, Geometry(tile_size=SIZE, scale_rule="native")) as writer:
        for index, letter in enumerate(splits):
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[:, SIZE // 2 :] = 1 + index % 3
            mask[:4] = IGNORE
            if letter == "v" and label is not None:
                mask[:] = label
            image = np.repeat(mask[:, :, None] // 2 * 60, 3, 2) + rng.integers(0, 60, (SIZE, SIZE, 3), np.uint8)
            split = "train" if letter == "t" else "val"
            fold = int(folds[index]) if folds else -1
            writer.add(image, mask, TileRecord(f"p{index}", f"p{index}", split, fold, "original", 0, 0, SIZE, SIZE, 1.0))
    seal(folder, "tiles", inputs={}, config={"folds": "all" if folds else "split"}, image="none")
    return folder


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiles(tmp_path_factory.mktemp("tiles") / "tiles")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "weights"
    folder.mkdir()
    ones = [1.0] * 16
    content = {
        "schemes": {counted: dict.fromkeys(SCHEMES, ones) for counted in COUNTED},
        "shares": dict.fromkeys(COUNTED, [1 / 16] * 16),
        "present": [True] * 16,
        "pixels": [1] * 16,
        "pictures": [1] * 16,
    }
    storage.write_json(folder / "weights.json", content)
    seal(folder, "weights", inputs={}, config={}, image="none")
    return folder


def trained(
    tiles: Path, weights: Path, model: Path, session: type[Session] = Session, **changes: object
) -> tuple[Manifest, dict[str, object]]:
    """One run in this process; `changes` replace its arguments, or are settings if they are none of these."""
    arguments = {"architecture": "unet-mit_b0", "recipe": "quick", "epochs": 3, "seed": 5, "cpu": 1, "checkpoints": "none"}
    settings = json.dumps(SETTINGS | {key: value for key, value in changes.items() if key not in arguments})
    arguments |= {key: value for key, value in changes.items() if key in arguments}
    model.parent.mkdir(parents=True, exist_ok=True)
    return run(tiles, weights, model, **arguments, settings=settings, progress=session(model.parent, "train", None))


@pytest.fixture(scope="module")
def reference(tiles: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest, dict[str, object]]:
    """The uninterrupted run that others are compared with."""
    model = tmp_path_factory.mktemp("reference") / "model"
    return model, *trained(tiles, weights, model)


def test_the_model_is_a_sealed_artifact_with_its_lineage(reference, tiles: Path, weights: Path) -> None:
    model, manifest, _ = reference
    assert open_artifact(model, "model") == manifest
    assert manifest.inputs == {"tiles": open_artifact(tiles, "tiles").digest, "weights": open_artifact(weights, "weights").digest}
    assert set(manifest.files) == {"model.safetensors", "model.json", "history.parquet", "summary.json"}
    assert set(manifest.facts) == {"facts.json"}


def test_the_card_says_how_the_model_wants_its_input(reference) -> None:
    card = read_model_card(reference[0])
    assert (card.architecture, card.encoder, card.tile_size, card.seed, card.epochs) == ("unet-mit_b0", "mit_b0", SIZE, 5, 3)
    assert card.geometry == Geometry(tile_size=SIZE, scale_rule="native")
    assert card.config["decoder_channels"] == [8, 8, 8, 8, 8]


def test_history_has_one_row_per_epoch_and_the_summary_its_best(reference) -> None:
    model, _, summary = reference
    history = pd.read_parquet(model / "history.parquet")
    assert list(history.columns) == ["epoch", "step", "train_loss", "val_loss", "val_miou", "learning_rate"]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["step"].tolist() == [2, 4, 6]
    best = history.loc[history["val_miou"].idxmax()]
    assert (summary["best_epoch"], summary["best_val_miou"]) == (best["epoch"], best["val_miou"])
    assert storage.read_json(model / "summary.json") == summary


def test_the_stored_weights_are_those_of_the_best_epoch(reference, tiles: Path, weights: Path, tmp_path: Path) -> None:
    model, _, summary = reference
    stopped_there, _ = trained(tiles, weights, tmp_path / "model", patience=1, min_delta=1.0)
    assert summary["best_epoch"] in (1, 2, 3)
    network = load(model)
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert storage.read_json(tmp_path / "model" / "summary.json")["epochs"] == 2
    assert stopped_there.digest != reference[1].digest


def test_the_same_seed_makes_the_same_model_and_another_seed_another(reference, tiles: Path, weights: Path, tmp_path: Path) -> None:
    again, _ = trained(tiles, weights, tmp_path / "again" / "model")
    other, _ = trained(tiles, weights, tmp_path / "other" / "model", seed=6)
    assert again.digest == reference[1].digest
    assert other.files["model.safetensors"] != again.files["model.safetensors"]


def child(tiles: Path, weights: Path, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, tiles, weights, folder / "model", folder / "checkpoints", json.dumps(SETTINGS)]
    return subprocess.Popen(list(map(str, command)), env=ONE_THREAD, stderr=subprocess.DEVNULL)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until the child has begun to save step `step`."""
    deadline = time.monotonic() + 120
    while not list(folder.glob(f"checkpoints/*/*step-{step:09d}.pt*")):
        assert process.poll() is None, "the training ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_training_killed_twice_ends_with_the_very_same_model(reference, tiles: Path, weights: Path, tmp_path: Path) -> None:
    for step in (1, 4):  # in the middle of epochs 1 and 2 and of the writing of a checkpoint
        process = child(tiles, weights, tmp_path)
        wait_for_step(tmp_path, step, process)
        process.kill()
        process.wait()
        assert not (tmp_path / "model" / "manifest.json").exists()
    manifest, _ = trained(tiles, weights, tmp_path / "model", checkpoints=str(tmp_path / "checkpoints"))
    assert manifest.digest == reference[1].digest
    assert storage.read_json(tmp_path / "model" / "facts.json")["starts"] > 1
    assert list((tmp_path / "checkpoints").iterdir()) == []


class Impatient(Session):
    """Sends this process a SIGTERM at the first report, as a cluster does that takes a node away."""

    def report(self, *arguments: object, **more: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def interrupted(tiles: Path, weights: Path, folder: Path) -> None:
    with pytest.raises(Interrupted, match=r"stopped in epoch 1; its state is saved in .*Run again to go on"):
        trained(tiles, weights, folder / "model", session=Impatient, checkpoints=str(folder / "checkpoints"), checkpoint_seconds=1000.0)


def test_a_terminated_training_goes_on_where_it_stopped(reference, tiles: Path, weights: Path, tmp_path: Path) -> None:
    interrupted(tiles, weights, tmp_path)
    manifest, _ = trained(tiles, weights, tmp_path / "model", checkpoints=str(tmp_path / "checkpoints"))
    assert manifest.files["model.safetensors"] == reference[1].files["model.safetensors"]
    assert storage.read_json(tmp_path / "model" / "facts.json")["starts"] == 2


def test_a_state_of_another_seed_is_not_taken(tiles: Path, weights: Path, tmp_path: Path) -> None:
    interrupted(tiles, weights, tmp_path)
    trained(tiles, weights, tmp_path / "model", seed=6, checkpoints=str(tmp_path / "checkpoints"))
    assert storage.read_json(tmp_path / "model" / "facts.json")["starts"] == 1


def test_without_a_checkpoint_folder_a_terminated_training_says_what_is_lost(tiles: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="nothing was saved, because no checkpoint folder was given"):
        trained(tiles, weights, tmp_path / "model", session=Impatient)


def test_losses_that_are_not_finite_end_the_training(tiles: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "item", lambda self: float("nan"))
    with pytest.raises(StageFailed, match=r"2 steps had a loss or gradient that is not finite \(allowed: 1\)"):
        trained(tiles, weights, tmp_path / "model", bad_steps=1)


def test_a_last_batch_of_one_tile_is_learned_from(weights: Path, tmp_path: Path) -> None:
    tiles = make_tiles(tmp_path / "tiles", "ttttv")
    _, summary = trained(tiles, weights, tmp_path / "out" / "model", epochs=1)
    assert (summary["train_tiles"], summary["val_tiles"]) == (4, 1)


@pytest.mark.parametrize(("splits", "label", "part"), [("ttt", None, "val"), ("vvv", None, "train"), ("ttv", IGNORE, "val")])
def test_tiles_without_anything_to_learn_or_validate_are_refused(
    splits: str, label: int | None, part: str, weights: Path, tmp_path: Path
) -> None:
    tiles = make_tiles(tmp_path / "tiles", splits, label)
    with pytest.raises(DataRefused, match=f"tiles of '{part}' hold no labelled pixel"):
        trained(tiles, weights, tmp_path / "out" / "model")


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"seed": -1}, {"cpu": 0}, {"architecture": "unet-mit_b9"}, {"recipe": "fast"}])
def test_arguments_without_meaning_are_refused(changes: dict[str, object], tiles: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        trained(tiles, weights, tmp_path / "model", **changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"loss.dise": 1}', "Did you mean: loss.dice"),
        ('{"batch_size": "8"}', "batch_size"),
    ],
)
def test_settings_that_say_nothing_are_refused(settings: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configured("quick", settings)


def test_settings_change_the_recipe_by_dotted_keys() -> None:
    config = configured("quick", '{"loss.dice": 0.25, "batch_size": 4}')
    assert (config.loss.dice, config.batch_size) == (0.25, 4)


def test_the_loss_takes_the_weights_of_the_counting_that_was_asked_for(tiles: Path, weights: Path, tmp_path: Path) -> None:
    content = storage.read_json(weights / "weights.json")
    content["schemes"]["pixel"] = dict.fromkeys(SCHEMES, [0.25, 1.25, 1.25, 1.25] + [1.0] * 12)
    (tmp_path / "weights").mkdir()
    storage.write_json(tmp_path / "weights" / "weights.json", content)
    seal(tmp_path / "weights", "weights", inputs={}, config={}, image="none")
    models = [
        trained(tiles, tmp_path / "weights", tmp_path / counted, epochs=1, **{"loss.counted": counted})[0].files["model.safetensors"]
        for counted in COUNTED
    ]
    assert models[0] != models[1]


def test_a_fold_of_tiles_that_have_none_is_refused(tiles: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fold 1 of a tile set; expected none"):
        trained(tiles, weights, tmp_path / "model", fold=1)


def test_a_training_of_one_fold_leaves_out_the_tested_and_validates_on_the_next(weights: Path, tmp_path: Path) -> None:
    folder = make_tiles(tmp_path / "tiles", splits="tttttvvvv", folds="012300123")
    summary = trained(folder, weights, tmp_path / "model", fold=2, epochs=1)[1]
    assert (summary["train_tiles"], summary["val_tiles"]) == (3, 1)
