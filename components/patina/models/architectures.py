"""The closed list of architectures and what is known of each, without torch: the command line and the pipelines read it.

All share the U-Net decoder (Ronneberger et al. 2015, arXiv 1505.04597); what is compared is the encoder: a convolutional one,
a transformer, and a hybrid of both, once in the size of the benchmark and once small enough for a CPU.
"""

import difflib
from dataclasses import dataclass
from typing import Literal, get_args

from patina.core.errors import UsageError

Architecture = Literal[
    "unet-maxvit_tiny",
    "unet-mit_b3",
    "unet-convnext_tiny",
    "unet-maxvit_pico",
    "unet-mit_b0",
    "unet-convnext_atto",
    "unet-maxvit_shallow",
    "unet-resnet10t",
]
Family = Literal["cnn", "transformer", "hybrid"]

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
STANDARD: tuple[Architecture, ...] = ("unet-maxvit_tiny", "unet-mit_b3", "unet-convnext_tiny")
"""The benchmark's encoders, the slowest first: a local loop runs two at once, and the long one should not start last."""
QUICK: tuple[Architecture, ...] = ("unet-mit_b0", "unet-resnet10t", "unet-maxvit_shallow")
"""One small encoder of each family. With 70 CPU-seconds from scratch, the same loss and the same generated tiles (one run
each), test mIoU was 12.9 % for ResNet-10-T, 8.2 % for ConvNeXt-atto, 7.4 % for MiT-B0 and 7.3 % for the full MaxViT-pico, with
all-Clean at about 5 %. The shallow MaxViT was tried only later, under other settings; it has about twice the tiles per second."""

SIZE_STEP = 32
"""The encoders halve the picture five times: tiles are multiples of this."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CENTERED = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Facts:
    """What is known of an architecture.

    Attributes:
        family: kind of the encoder.
        encoder: its name in segmentation_models_pytorch; `tu-` marks those that come from timm.
        description: for people, one line.
        mean: of the three colour channels at values 0..1, as in the encoder's pretraining.
        std: likewise.
        sized: whether the encoder's attention windows are laid out for one tile size when it is built.
        depths: blocks per stage, where they are not the encoder's own; there are no pretrained weights for those.
    """

    family: Family
    encoder: str
    description: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sized: bool = False
    depths: tuple[int, int, int, int] | None = None


def facts(architecture: Architecture) -> Facts:
    """What is known of `architecture`."""
    match architecture:
        case "unet-maxvit_tiny":
            text = "U-Net on MaxViT-T: convolution, then attention in windows and over a grid"
            return Facts("hybrid", "tu-maxvit_tiny_tf_384", text, *_CENTERED, sized=True)
        case "unet-mit_b3":
            text = "U-Net on MiT-B3, the SegFormer encoder: overlapping patches, attention on reduced keys"
            return Facts("transformer", "mit_b3", text, *_IMAGENET)
        case "unet-convnext_tiny":
            text = "U-Net on ConvNeXt-T: a convolutional network in the proportions of Swin"
            return Facts("cnn", "tu-convnext_tiny", text, *_IMAGENET)
        case "unet-maxvit_pico":
            text = "U-Net on MaxViT-pico: a quarter of MaxViT-T's weights"
            return Facts("hybrid", "tu-maxvit_rmlp_pico_rw_256", text, *_CENTERED, sized=True)
        case "unet-mit_b0":
            text = "U-Net on MiT-B0: the smallest SegFormer encoder"
            return Facts("transformer", "mit_b0", text, *_IMAGENET)
        case "unet-convnext_atto":
            text = "U-Net on ConvNeXt-atto: an eighth of ConvNeXt-T's weights"
            return Facts("cnn", "tu-convnext_atto", text, *_IMAGENET)
        case "unet-maxvit_shallow":
            text = "U-Net on MaxViT-pico with half of its blocks"
            return Facts("hybrid", "tu-maxvit_rmlp_pico_rw_256", text, *_CENTERED, sized=True, depths=(1, 1, 2, 1))
        case "unet-resnet10t":
            return Facts("cnn", "tu-resnet10t", "U-Net on ResNet-10-T: a residual network of ten layers", *_IMAGENET)


def family(architecture: Architecture) -> Family:
    """The kind of encoder of `architecture`."""
    return facts(architecture).family


def parse_architecture(name: str) -> Architecture:
    """Checks that `name` is one of `ARCHITECTURES`.

    Raises:
        UsageError: it is not; the message has the nearest valid names.
    """
    if name in ARCHITECTURES:
        return name
    close = difflib.get_close_matches(name, ARCHITECTURES, n=3, cutoff=0.4)
    hint = f"Did you mean: {', '.join(close)}?" if close else f"Valid names: {', '.join(ARCHITECTURES)}."
    raise UsageError(f"unknown architecture {name!r}. {hint}")


def parse_architectures(text: str) -> tuple[Architecture, ...]:
    """Reads comma-separated names, in their order.

    Raises:
        UsageError: an unknown name, or none at all.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"no architecture named in {text!r}. Valid names: {', '.join(ARCHITECTURES)}.")
    return tuple(parse_architecture(name) for name in names)
