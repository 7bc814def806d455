"""Loss weights from pixel counts."""

import numpy as np
from numpy.typing import NDArray

from patina.core.weights import Scheme


def class_weights(pixels: NDArray[np.int64], scheme: Scheme, max_ratio: float | None) -> NDArray[np.float64]:
    """Weights that fall with a class's number of pixels n: 1 (`none`), 1 / n (`inverse`) or 1 / sqrt(n) (`inverse_sqrt`).

    The mean over the classes with pixels is 1, so that schemes do not change the learning rate that fits. Weights above
    `max_ratio` times the smallest are cut to that. A class without pixels gets the largest weight: it is at least as rare as
    the rarest one, and a model must not be rewarded for predicting it.

    Args:
        pixels: int64 [C], not negative, not all zero.
        scheme: see above.
        max_ratio: at least 1, or None.

    Returns:
        float64 [C], finite and positive.

    Raises:
        ValueError: no class has a pixel.
    """
    present = pixels > 0
    if not present.any():
        raise ValueError("weights need at least one labelled pixel")
    share = pixels[present] / pixels.sum()
    match scheme:
        case "none":
            held = np.ones(len(share))
        case "inverse":
            held = 1 / share
        case "inverse_sqrt":
            held = 1 / np.sqrt(share)
    if max_ratio is not None:
        held = np.minimum(held, held.min() * max_ratio)
    held = held / held.mean()
    weights = np.full(len(pixels), held.max())
    weights[present] = held
    return weights
