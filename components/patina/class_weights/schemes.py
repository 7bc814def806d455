"""Loss weights from pixel counts.

Two ways of counting: by `pixel`, where a scan of 133 megapixels counts as much as 1,500 pictures of 300 x 300; and by
`picture`, where each picture says which share of its labelled pixels a class takes, and all pictures count alike. Pixels
without a label and pictures without labelled pixels never count.
"""

import numpy as np
from numpy.typing import NDArray

from patina.class_weights.settings import ClassWeightSettings
from patina.core.weights import Counted, Scheme


def class_shares(counts: NDArray[np.int64], counted: Counted) -> NDArray[np.float64]:
    """Share of each class, 0..1; they sum to 1.

    With n[i, c] pixels of class c in picture i: sum_i n[i, c] / sum_ic n[i, c] by `pixel`, and the mean over the pictures i
    that have labelled pixels of n[i, c] / sum_c n[i, c] by `picture`.

    Args:
        counts: int64 [N, C], pixels of each class in each picture, not negative.
        counted: see above.

    Returns:
        float64 [C].

    Raises:
        ValueError: no picture has a labelled pixel.
    """
    labelled = _labelled(counts)
    if counted == "pixel":
        return labelled.sum(0) / labelled.sum()
    return (labelled / labelled.sum(1, keepdims=True)).mean(0)


def class_weights(counts: NDArray[np.int64], scheme: Scheme, counted: Counted, settings: ClassWeightSettings) -> NDArray[np.float64]:
    """Weights that fall with the share f of a class (see `class_shares`), or with what the scheme puts in its place.

    - `none`: 1.
    - `inverse`: 1 / f.
    - `inverse_sqrt`: 1 / sqrt(f).
    - `log`: linear in log f, from 1 at the most frequent class to `log_ratio` at the rarest one.
    - `effective`: (1 - beta) / (1 - beta^n) (Cui et al. 2019, arXiv 1901.05555), n the pictures that hold the class. The paper
      counts samples that may repeat one another; neighbouring pixels do so nearly always, so a picture is one sample, however
      the rest is counted.
    - `median_frequency`: median_k(g_k) / g (Eigen & Fergus 2015, arXiv 1411.4734), g the share of the class in the pictures
      that hold it, of their pixels together or as the mean over them.

    The mean over the classes present is 1, so that schemes do not change the learning rate that fits. Weights above `max_ratio`
    times the smallest are cut to that. A class without pixels gets the largest weight: it is at least as rare as the rarest
    one, and a model must not be rewarded for predicting it.

    Args:
        counts: int64 [N, C], pixels of each class in each picture, not negative.
        scheme: see above.
        counted: whether large pictures count more.
        settings: limits and parameters.

    Returns:
        float64 [C], finite and positive.

    Raises:
        ValueError: no picture has a labelled pixel.
    """
    present = _labelled(counts).sum(0) > 0
    counts = counts[:, present]
    match scheme:
        case "none":
            held = np.ones(present.sum())
        case "inverse":
            held = 1 / class_shares(counts, counted)
        case "inverse_sqrt":
            held = 1 / np.sqrt(class_shares(counts, counted))
        case "log":
            held = _logarithmic(class_shares(counts, counted), settings.log_ratio)
        case "effective":
            held = (1 - settings.beta) / -np.expm1((counts > 0).sum(0) * np.log(settings.beta))
        case "median_frequency":
            frequency = np.array([class_shares(counts[counts[:, index] > 0], counted)[index] for index in range(counts.shape[1])])
            held = np.median(frequency) / frequency
    if settings.max_ratio is not None:
        held = np.minimum(held, held.min() * settings.max_ratio)
    held = held / held.mean()
    weights = np.full(len(present), held.max())
    weights[present] = held
    return weights


def _labelled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pictures with labelled pixels."""
    if not counts.any():
        raise ValueError("weights need at least one labelled pixel")
    return counts[counts.any(1)]


def _logarithmic(share: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    rarity = np.log(share.max() / share)
    return 1 + (ratio - 1) * rarity / (rarity.max() or 1)  # or 1: all classes are equally frequent
