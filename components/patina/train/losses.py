"""The losses of semantic segmentation, vectorised over classes; pixels with the truth 255 never count."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from patina.core.taxonomy import IGNORE
from patina.train.settings import LossConfig


def focal_loss(log_probabilities: Tensor, truth: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017, arXiv 1708.02002), the weighted mean over labelled pixels.

    sum_i w[t_i] (1 - p_i)^gamma (-log p_i) / sum_i w[t_i], with p_i the probability of the true class t_i. gamma = 0 is the
    weighted cross-entropy. The paper's alpha is a constant here: the class weights take its place.

    Args:
        log_probabilities: float [B, C, H, W], log-softmax over C.
        truth: int64 [B, H, W], 0..C-1 or 255.
        weights: float [C], not negative.
        gamma: focusing exponent, >= 0.

    Returns:
        Scalar; 0, with a gradient of 0, if no pixel counts.
    """
    counted = truth != IGNORE
    target = truth.where(counted, 0)
    log_p = log_probabilities.gather(1, target[:, None])[:, 0]
    pixel_weights = weights[target] * counted
    focus = (1 - log_p.exp()).clamp(min=0) ** gamma if gamma else 1.0  # clamp: exp(log p) may exceed 1 by one ulp
    return -(pixel_weights * focus * log_p).sum() / _positive(pixel_weights.sum())


def dice_loss(probabilities: Tensor, truth: Tensor, weights: Tensor, smooth: float) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016, arXiv 1606.04797) over the batch, the weighted mean over classes in the truth.

    1 - (2 sum_i p_ic t_ic + s) / (sum_i p_ic + sum_i t_ic + s) for class c, over labelled pixels i. A class that the batch's
    truth does not hold is left out: its best value is reached by predicting nothing, which cross-entropy teaches better.

    Args:
        probabilities: float [B, C, H, W], softmax over C.
        truth: int64 [B, H, W], 0..C-1 or 255.
        weights: float [C], not negative.
        smooth: s, in pixels.

    Returns:
        Scalar 0..1; 0, with a gradient of 0, if no pixel counts.
    """
    classes = torch.arange(probabilities.shape[1], device=truth.device).view(1, -1, 1, 1)
    members = truth[:, None] == classes
    overlap = (probabilities * members).sum((0, 2, 3))
    predicted = (probabilities * (truth != IGNORE)[:, None]).sum((0, 2, 3))
    held = members.sum((0, 2, 3))
    losses = 1 - (2 * overlap + smooth) / _positive(predicted + held + smooth)
    class_weights = weights * (held > 0)
    return (losses * class_weights).sum() / _positive(class_weights.sum())


def limited(weights: Tensor, max_ratio: float) -> Tensor:
    """`weights` float [C], positive, with those above `max_ratio` times the smallest cut to that, and the mean 1."""
    cut = weights.clamp(max=float(weights.min()) * max_ratio)
    return cut / cut.mean()


class SegmentationLoss(nn.Module):
    """The weighted sum of Dice and focal loss that `config` asks for.

    Args:
        config: weights of the parts.
        weights: float [C], class weights.
    """

    weights: Tensor

    def __init__(self, config: LossConfig, weights: Tensor) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weights", weights.float())

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Logits float [B, C, H, W] and truth int64 [B, H, W] -> scalar float32."""
        log_probabilities = functional.log_softmax(logits.float(), 1)
        loss = log_probabilities.new_zeros(())
        if self.config.focal:
            loss = loss + self.config.focal * focal_loss(log_probabilities, truth, self.weights, self.config.gamma)
        if self.config.dice:
            loss = loss + self.config.dice * dice_loss(log_probabilities.exp(), truth, self.weights, self.config.smooth)
        return loss


def _positive(denominator: Tensor) -> Tensor:
    """`denominator` where it is positive, else 1: the numerator is 0 there."""
    return denominator.where(denominator > 0, 1.0)
