"""A generator that copies its training images shows; one that draws from their distribution does not."""

import pytest
import torch
from torch import Tensor

from trainers.metrics.memorisation import FEWEST, nearest_ratio

DIM = 6


def images(count: int, seed: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed))


TRAINING, HELD_OUT = images(900, 0), images(100, 1)


def test_honest_fakes_lie_where_held_out_images_do() -> None:
    copies = [nearest_ratio(TRAINING, HELD_OUT, images(400, seed)).copies for seed in range(10, 20)]
    assert sum(copies) <= 2


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_copies_lie_nearer_to_what_they_copy(noise: float) -> None:
    found = nearest_ratio(TRAINING, HELD_OUT, TRAINING[:400] + noise * images(400, 2))
    assert found.copies and found.ratio < 0.7 * found.null


def test_a_half_of_copies_shows_and_copies_of_held_out_images_do_not() -> None:
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    half = torch.cat([TRAINING[:200], images(200, 3)])[order]
    assert nearest_ratio(TRAINING, HELD_OUT, half).copies
    assert not nearest_ratio(TRAINING, HELD_OUT, HELD_OUT + 0.01 * images(100, 4)).copies


def test_noise_is_no_copy() -> None:
    assert not nearest_ratio(TRAINING, HELD_OUT, images(400, 5, spread=8.0)).copies


def test_the_same_every_time_and_too_few_are_an_error() -> None:
    first, second = (nearest_ratio(TRAINING, HELD_OUT, images(50, 6)) for _ in range(2))
    assert first == second and first.null_low < first.null < 1, "there are more training images"
    with pytest.raises(AssertionError):
        nearest_ratio(TRAINING, HELD_OUT[: FEWEST - 1], images(50, 6))
