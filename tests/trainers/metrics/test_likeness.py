"""The fakes nearest to training images: copies are found, and stand beside what they are copies of."""

import math

import pytest
import torch

from trainers.metrics.likeness import likenesses


def images(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))


TRAINING, HELD_OUT = images(600, 0), images(60, 1)


def test_copies_come_first_beside_their_originals() -> None:
    fakes = images(100, 2)
    fakes[[7, 40]] = TRAINING[[300, 5]] + torch.tensor([[0.02], [0.01]])
    found = likenesses(TRAINING, HELD_OUT, fakes, shown=4)
    assert [(one.fake, one.training) for one in found.nearest[:2]] == [(40, 5), (7, 300)]
    assert [one.to_training for one in found.nearest[:2]] == pytest.approx([0.04, 0.08], rel=1e-3)
    assert found.nearest[1].to_training < found.nearest[2].to_training <= found.nearest[3].to_training
    assert found.compared == 100
    numbers = [one.fake for one in (*found.nearest, *found.random)]
    assert len(set(numbers)) == 8, "no fake is shown twice"
    assert found == likenesses(TRAINING, HELD_OUT, fakes, shown=4)


def test_each_is_beside_its_nearest_held_out_image_too() -> None:
    fakes = images(50, 3)
    fakes[9] = HELD_OUT[33]
    found = likenesses(TRAINING, HELD_OUT, fakes, shown=25)
    (one,) = [one for one in (*found.nearest, *found.random) if one.fake == 9]
    assert (one.held_out, one.to_held_out) == (33, pytest.approx(0, abs=1e-3))
    between = torch.cdist(HELD_OUT.double(), TRAINING.double()).amin(dim=1)
    assert found.usual == pytest.approx(between.median().item())


def test_without_held_out_images_training_images_are_the_measure() -> None:
    found = likenesses(TRAINING, None, images(50, 4))
    assert {(one.held_out, one.to_held_out) for one in (*found.nearest, *found.random)} == {(None, None)}
    between = torch.cdist(TRAINING.double(), TRAINING.double()).fill_diagonal_(math.inf).amin(dim=1)
    assert found.usual == pytest.approx(between[::2][:256].median().item()), "never the distance to itself"


def test_few_fakes_and_one_image() -> None:
    found = likenesses(TRAINING[:1], HELD_OUT[:0], images(5, 5))
    assert (len(found.nearest), found.random) == (5, ())
    assert math.isnan(found.usual)
