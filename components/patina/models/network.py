"""Builds the benchmark's networks, and loads trained ones from a `model` artifact. Weights are safetensors; nothing is unpickled."""

from pathlib import Path
from typing import Any, Literal

import segmentation_models_pytorch as smp
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from patina.core.errors import DataRefused, StorageError, UsageError
from patina.core.model_card import WEIGHTS, read_model_card
from patina.core.taxonomy import NUM_CLASSES
from patina.models.architectures import SIZE_STEP, Architecture, facts, parse_architecture

Pretrained = Literal["imagenet", "none"]


def build(
    architecture: Architecture,
    *,
    tile_size: int,
    decoder_channels: tuple[int, ...],
    classes: int = NUM_CLASSES,
    pretrained: Pretrained = "none",
) -> nn.Module:
    """A U-Net on the encoder of `architecture`, its new weights drawn from torch's global generator.

    Args:
        architecture: one of `patina.models.architectures.ARCHITECTURES`.
        tile_size: edge of the square input in pixels, a multiple of 32. MaxViT works at this size only.
        decoder_channels: width of the decoder's five blocks, coarse to fine.
        classes: width of the head.
        pretrained: `imagenet` fetches the encoder's weights from the hub (`HF_ENDPOINT` and the hub's cache are honoured).

    Returns:
        A module that maps float32 [B, 3, tile_size, tile_size], normalised by `facts(architecture).mean` and `.std`, to
        logits float32 [B, classes, tile_size, tile_size].

    Raises:
        UsageError: a tile size or a decoder that does not fit.
        StorageError: the hub cannot be reached or does not have the weights.
        DataRefused: what the hub sent is not this encoder's weights.
    """
    if tile_size < 2 * SIZE_STEP or tile_size % SIZE_STEP:
        raise UsageError(f"tile size {tile_size} does not suit {architecture}: choose a multiple of {SIZE_STEP}, at least {2 * SIZE_STEP}.")
    if len(decoder_channels) != 5:
        raise UsageError(f"decoder_channels has {len(decoder_channels)} values {decoder_channels}, the U-Net decoder has 5 blocks.")
    known = facts(architecture)
    if pretrained == "imagenet" and known.depths is not None:
        raise UsageError(f"{architecture} has no ImageNet weights: choose another, or train from scratch with --set train.pretrained=none.")
    timm_arguments: dict[str, Any] = {"img_size": tile_size} if known.sized else {}
    if known.depths is not None:
        timm_arguments["depths"] = known.depths
    weights: str | bool | None = None
    if pretrained == "imagenet":
        weights = "imagenet"
        if known.encoder.startswith("tu-"):
            weights = True  # timm's name carries the data set; the overlay forbids its fall-back to a pickled file
            timm_arguments["pretrained_cfg_overlay"] = {"hf_hub_filename": "model.safetensors"}
    try:
        return smp.Unet(
            encoder_name=known.encoder,
            encoder_weights=weights,  # pyright: ignore[reportArgumentType] # smp says str, its timm branch asks for a bool
            decoder_channels=decoder_channels,
            classes=classes,
            **timm_arguments,
        )
    except OSError as error:  # the hub client's errors (no route, 404, 5xx, offline mode) all derive from it
        if pretrained == "none":
            raise
        raise StorageError(
            f"no ImageNet weights for {architecture}: {_first_line(error)}. "
            "Set HF_ENDPOINT to a hub that answers, or train from scratch with --set train.pretrained=none."
        ) from error
    except (SafetensorError, RuntimeError) as error:
        if pretrained == "none":
            raise
        raise DataRefused(
            f"the hub's weights for {architecture} are not this encoder's: {_first_line(error)}. "
            "Empty the hub's cache or choose another HF_ENDPOINT."
        ) from error


def load(folder: Path | str) -> nn.Module:
    """The trained network of the `model` artifact `folder`, in eval mode, on the CPU.

    The caller has opened the artifact (`patina.core.artifact.open_artifact`) and so checked its digests.

    Raises:
        DataRefused: card and weights do not belong together.
    """
    folder = Path(folder)
    card = read_model_card(folder)
    network = build(
        parse_architecture(card.architecture),
        tile_size=card.tile_size,
        decoder_channels=card.decoder_channels,
        classes=len(card.classes),
    )
    try:
        network.load_state_dict(load_file(folder / WEIGHTS, device="cpu"))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataRefused(f"{folder / WEIGHTS} are not the weights of {card.architecture}: {_first_line(error)}. Train again.") from error
    return network.eval()


def _first_line(error: BaseException) -> str:
    while error.__cause__ is not None:  # the hub client wraps the refused connection or the 404
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
