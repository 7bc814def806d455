import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from patina.core.errors import StageFailed
from patina.train.learner import Learner, learning_rate
from patina.train.losses import SegmentationLoss
from patina.train.settings import LossConfig, OptimizerConfig

CONFIG = OptimizerConfig()


def learner(model: nn.Module, micro_batch: int = 8) -> Learner:
    return Learner(model, SegmentationLoss(LossConfig(dice=0, focal=1, gamma=0), torch.ones(4)), CONFIG, torch.device("cpu"), micro_batch)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1))


def batch(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=generator), torch.randint(0, 4, (count, 8, 8), generator=generator)


def values(model: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


@given(total=st.integers(4, 400), warmup=st.sampled_from([0.3, 0.5]))
def test_the_schedule_is_torchs_one_cycle(total: int, warmup: float) -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=total, pct_start=warmup, cycle_momentum=False)
    for step in range(total):
        assert learning_rate(step, total, OptimizerConfig(warmup=warmup)) == pytest.approx(torchs.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        if step < total - 1:
            torchs.step()


@given(total=st.integers(1, 30), warmup=st.floats(0.01, 0.99))
def test_the_schedule_of_any_length_stays_positive_and_under_its_peak(total: int, warmup: float) -> None:
    rates = [learning_rate(step, total, OptimizerConfig(warmup=warmup)) for step in range(total)]
    assert all(0 < rate <= 1e-3 * (1 + 1e-9) for rate in rates)


def test_repeated_steps_on_a_batch_lower_its_loss() -> None:
    learning = learner(network())
    losses = [learning.step(*batch(), 1e-2) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    models = [nn.Sequential(nn.Conv2d(3, 4, 1)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    losses = [learner(model, micro_batch).step(*batch(), 1e-2) for model, micro_batch in zip(models, (8, 3), strict=True)]
    assert losses[0] == pytest.approx(losses[1])
    for whole, parts in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-4)


class Poisoned(nn.Module):
    """A network whose `fault` can be switched on: NaN in the forward pass, or in the gradient alone."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.fault = network(), ""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.fault == "loss":
            return self.network(images * math.nan)
        logits = self.network(images)
        return logits + (0 * logits.sum() / 0).nan_to_num(0) if self.fault == "gradient" else logits


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_step_that_is_not_finite_leaves_no_trace(fault: str) -> None:
    model = Poisoned()
    learning = learner(model)
    learning.step(*batch(), 1e-3)
    before = values(model)
    model.fault = fault
    assert learning.step(*batch(), 1e-3) is None
    assert all(torch.equal(old, new) for old, new in zip(before, values(model), strict=True))
    model.fault = ""
    assert learning.step(*batch(), 1e-3) is not None


class Greedy(nn.Module):
    """Runs out of memory above `limit` tiles, in the way that CUDA does."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.network, self.limit, self.tried = nn.Conv2d(3, 4, 1), limit, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(images))
        if len(images) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(images)


def test_too_little_memory_halves_the_parts_and_keeps_the_batch() -> None:
    greedy, roomy = Greedy(limit=2), Greedy(limit=8)
    roomy.load_state_dict(greedy.state_dict())
    learning = learner(greedy)
    assert learning.step(*batch(), 1e-2) == pytest.approx(learner(roomy).step(*batch(), 1e-2))
    assert greedy.tried == [8, 4, 2, 2, 2, 2]
    learning.step(*batch(), 1e-2)
    assert greedy.tried[6:] == [2, 2, 2, 2]


def test_a_tile_that_does_not_fit_at_all_ends_the_training() -> None:
    with pytest.raises(StageFailed, match="cannot hold one tile"):
        learner(Greedy(limit=0)).step(*batch(), 1e-2)


def test_a_restored_learner_takes_the_same_next_step() -> None:
    def dropping() -> nn.Module:
        return nn.Sequential(network(), nn.Dropout(0.5))

    first, second = learner(dropping()), learner(dropping())
    first.step(*batch(), 1e-2)
    stored = io.BytesIO()
    torch.save(first.state(), stored)
    losses = [first.step(*batch(), 1e-2)]
    stored.seek(0)
    second.load_state(torch.load(stored, weights_only=True))
    losses.append(second.step(*batch(), 1e-2))
    assert losses[0] == losses[1]
    assert all(torch.equal(one, other) for one, other in zip(values(first.model), values(second.model), strict=True))


def test_norms_and_biases_do_not_decay() -> None:
    model = network()
    learning = learner(model)
    decays = {len(group["params"]): group["weight_decay"] for group in learning.state()["optimizer"]["param_groups"]}
    assert decays == {2: CONFIG.weight_decay, 4: 0.0}
