"""Learning rates over a run."""

import pytest
import torch

from trainers.config import OptimizerConfig
from trainers.engine.rates import rate_share, set_rate


@pytest.mark.parametrize(
    ("start", "shares"),
    [
        (None, [1, 1, 1, 1]),
        (0.5, [1, 1, 1, 0.5]),  # 0 comes after the last epoch
        (0.0, [1, 0.75, 0.5, 0.25]),
    ],
)
def test_rates_fall_after_their_start(start: float | None, shares: list[float]) -> None:
    settings = OptimizerConfig(decay_start=start)
    assert [rate_share(settings, epoch, 4) for epoch in range(1, 5)] == pytest.approx(shares)


def test_every_parameter_has_the_rate_that_is_set() -> None:
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.Adam([{"params": [weight]} for weight in weights], lr=1.0)
    set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
