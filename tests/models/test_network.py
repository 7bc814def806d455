from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from patina.core import storage
from patina.core.errors import DataRefused, UsageError
from patina.core.model_card import ModelCard, read_model_card
from patina.core.taxonomy import CLASS_NAMES
from patina.core.tiles import Geometry
from patina.models import build, load
from patina.models.architectures import QUICK, STANDARD, Architecture, facts

NARROW = (16, 16, 16, 8, 8)


def card(architecture: Architecture = "unet-mit_b0", tile_size: int = 64) -> ModelCard:
    return ModelCard(
        architecture=architecture,
        decoder="unet",
        decoder_channels=NARROW,
        encoder=facts(architecture).encoder,
        view="full",
        classes=CLASS_NAMES,
        mean=facts(architecture).mean,
        std=facts(architecture).std,
        tile_size=tile_size,
        geometry=Geometry(tile_size=tile_size, scale_rule="native"),
        recipe="quick",
        config={},
        epochs=1,
        seed=0,
        parameters=1,
    )


@pytest.mark.parametrize("architecture", QUICK)
@pytest.mark.parametrize("tile_size", [64, 96])
def test_every_pixel_gets_a_logit_per_class_at_any_multiple_of_32(architecture: Architecture, tile_size: int) -> None:
    network = build(architecture, tile_size=tile_size, decoder_channels=NARROW).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, tile_size, tile_size)).shape == (2, 16, tile_size, tile_size)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", STANDARD)
def test_the_benchmark_networks_work_away_from_their_pretraining_size(architecture: Architecture) -> None:
    network = build(architecture, tile_size=128, decoder_channels=(256, 128, 64, 32, 16)).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 3, 128, 128)).shape == (1, 16, 128, 128)


@pytest.mark.parametrize("architecture", QUICK)
def test_the_seed_decides_the_first_weights(architecture: Architecture) -> None:
    def first_weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in build(architecture, tile_size=64, decoder_channels=NARROW).parameters()])

    assert torch.equal(first_weights(1), first_weights(1))
    assert not torch.equal(first_weights(1), first_weights(2))


@pytest.mark.parametrize("tile_size", [32, 100, 0])
def test_a_tile_size_that_cannot_be_halved_five_times_is_refused(tile_size: int) -> None:
    with pytest.raises(UsageError, match=rf"tile size {tile_size} does not suit unet-maxvit_pico.*multiple of 32, at least 64"):
        build("unet-maxvit_pico", tile_size=tile_size, decoder_channels=NARROW)


def test_a_decoder_of_other_than_five_blocks_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has 3 values.*has 5 blocks"):
        build("unet-mit_b0", tile_size=64, decoder_channels=(8, 8, 8))


@pytest.mark.parametrize("architecture", QUICK)
def test_a_saved_network_comes_back_and_predicts_the_same(architecture: Architecture, tmp_path: Path) -> None:
    network = build(architecture, tile_size=64, decoder_channels=NARROW).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    storage.write_json(tmp_path / "model.json", card(architecture).model_dump(mode="json"))
    image = torch.randn(1, 3, 64, 64)
    loaded = load(tmp_path)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))
    assert read_model_card(tmp_path) == card(architecture)
    assert not loaded.training


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"head": torch.zeros(3)}, tmp_path / "model.safetensors")
    storage.write_json(tmp_path / "model.json", card().model_dump(mode="json"))
    with pytest.raises(DataRefused, match="not the weights of unet-mit_b0"):
        load(tmp_path)


def test_a_pickle_under_the_name_of_the_weights_is_never_opened(tmp_path: Path) -> None:
    torch.save({"head": torch.zeros(3)}, tmp_path / "model.safetensors")
    storage.write_json(tmp_path / "model.json", card().model_dump(mode="json"))
    with pytest.raises(DataRefused, match="not the weights of unet-mit_b0"):
        load(tmp_path)


def test_a_card_with_foreign_classes_is_refused(tmp_path: Path) -> None:
    storage.write_json(tmp_path / "model.json", card().model_dump(mode="json") | {"classes": ["Clean", "Damage"]})
    with pytest.raises(DataRefused, match="not those of the view 'full'"):
        read_model_card(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"no readable model\.json"):
        read_model_card(tmp_path)


def test_an_encoder_cut_in_depth_has_no_pretrained_weights_to_start_from() -> None:
    with pytest.raises(UsageError, match=r"train.pretrained=none"):
        build("unet-maxvit_shallow", tile_size=64, decoder_channels=(16, 16, 16, 16, 16), pretrained="imagenet")
