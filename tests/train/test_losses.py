import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segmentation_models_pytorch.losses import DiceLoss
from torch.nn import functional

from patina.core.config import override
from patina.core.errors import UsageError
from patina.train.losses import SegmentationLoss, dice_loss, focal_loss, limited
from patina.train.settings import LossConfig, TrainConfig

CLASSES = 5


def example(seed: int, ignored: float = 0.2, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits [2, 5, 6, 7], truth with a share of 255, class weights."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, CLASSES, 6, 7, generator=generator, dtype=dtype)
    truth = torch.randint(0, CLASSES, (2, 6, 7), generator=generator)
    truth[torch.rand(truth.shape, generator=generator) < ignored] = 255
    return logits, truth, torch.rand(CLASSES, generator=generator, dtype=dtype) + 0.1


@given(seed=st.integers(0, 10_000), ignored=st.floats(0, 0.9))
def test_focal_with_gamma_0_is_torchs_weighted_cross_entropy(seed: int, ignored: float) -> None:
    logits, truth, weights = example(seed, ignored)
    if (truth == 255).all():
        return
    expected = functional.cross_entropy(logits, truth, weights, ignore_index=255)
    torch.testing.assert_close(focal_loss(logits.log_softmax(1), truth, weights, 0.0), expected)


@given(seed=st.integers(0, 10_000), gamma=st.floats(0.5, 5))
def test_focal_is_the_papers_formula(seed: int, gamma: float) -> None:
    logits, truth, weights = example(seed, dtype=torch.float64)
    counted = truth != 255
    p = logits.softmax(1).permute(0, 2, 3, 1)[counted].gather(1, truth[counted][:, None])[:, 0]
    w = weights[truth[counted]]
    torch.testing.assert_close(focal_loss(logits.log_softmax(1), truth, weights, gamma), -(w * (1 - p) ** gamma * p.log()).sum() / w.sum())


@given(seed=st.integers(0, 10_000), smooth=st.floats(0, 10))
def test_dice_is_smps_mean_over_the_classes_of_the_truth(seed: int, smooth: float) -> None:
    logits, truth, _ = example(seed)
    truth[truth == 1] = 3  # smp counts an absent class as loss 0 in the mean over all classes
    present = len(set(truth.unique().tolist()) - {255})
    reference = DiceLoss("multiclass", smooth=smooth / 2, ignore_index=255)  # smp 0.6: (I + s) / (... / 2 + s)
    smps = reference(logits, truth) * CLASSES / present
    torch.testing.assert_close(dice_loss(logits.softmax(1), truth, torch.ones(CLASSES), smooth), smps, atol=1e-5, rtol=1e-5)


def test_dice_of_a_perfect_prediction_is_0() -> None:
    _, truth, weights = example(0)
    perfect = functional.one_hot(truth.where(truth != 255, 0), CLASSES).permute(0, 3, 1, 2).float()
    assert dice_loss(perfect, truth, weights, 1.0).item() == pytest.approx(0, abs=1e-6)


def test_a_heavier_class_counts_more_in_both_parts() -> None:
    truth = torch.tensor([[[0, 1]]])
    logits = torch.tensor([[[[4.0, 4.0]], [[0.0, 0.0]]]])  # class 0 everywhere: class 1 is wrong
    light, heavy = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 9.0])
    for part in (lambda w: focal_loss(logits.log_softmax(1), truth, w, 2.0), lambda w: dice_loss(logits.softmax(1), truth, w, 1.0)):
        assert part(heavy) > part(light)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_gradients_are_right(gamma: float) -> None:
    logits, truth, weights = example(3, dtype=torch.float64)
    logits = logits[:, :, :3, :3].clone().requires_grad_()
    truth = truth[:, :3, :3]

    def loss(values: torch.Tensor) -> torch.Tensor:
        logs = values.log_softmax(1)
        return focal_loss(logs, truth, weights, gamma) + dice_loss(logs.exp(), truth, weights, 1.0)

    assert torch.autograd.gradcheck(loss, (logits,))


def test_ignored_pixels_have_no_influence() -> None:
    logits, truth, weights = example(4)
    loss = SegmentationLoss(LossConfig(), weights)
    moved = logits + 100 * (truth == 255)[:, None] * torch.randn(logits.shape)
    torch.testing.assert_close(loss(moved, truth), loss(logits, truth))


@pytest.mark.parametrize("config", [LossConfig(), LossConfig(dice=1, focal=0), LossConfig(dice=0, focal=1, gamma=0), LossConfig(smooth=0)])
def test_a_batch_without_labels_costs_0_and_moves_nothing(config: LossConfig) -> None:
    logits = torch.randn(2, CLASSES, 4, 4, requires_grad=True)
    loss = SegmentationLoss(config, torch.ones(CLASSES))(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_extreme_logits_stay_finite(scale: float) -> None:
    logits, truth, weights = example(5)
    logits = (logits * scale).requires_grad_()
    loss = SegmentationLoss(LossConfig(), weights)(logits, truth)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_loss_without_parts_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one part of the loss must count"):
        override(TrainConfig(), {"loss.dice": 0.0, "loss.focal": 0.0}, "train settings")


def test_class_weights_are_cut_to_the_largest_ratio_and_keep_the_mean_1() -> None:
    weights = limited(torch.tensor([0.1, 0.2, 10.0]), max_ratio=5.0)
    torch.testing.assert_close(weights / weights[0], torch.tensor([1.0, 2.0, 5.0]))
    assert weights.mean().item() == pytest.approx(1.0)
