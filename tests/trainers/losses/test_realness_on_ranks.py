"""`realness` gives the same scores on two ranks as on one."""

from typing import Any

import pytest
import torch

from tests.trainers.rank_cases import losses
from trainers.losses import LOSSES

Results = list[dict[str, dict[str, Any]]]


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_realness_is_that_of_the_global_batch(two_rank_results: Results, name: str) -> None:
    scores = torch.cat([result["losses"][f"{name}.d_loss"]["scores"] for result in two_rank_results])
    torch.testing.assert_close(scores, losses()[f"{name}.d_loss"]["scores"])
