"""Random numbers: the same global batch on any number of ranks, reseeded in each epoch, left alone by other code."""

from typing import Any

import pytest
import torch

from tests.trainers.rank_cases import randomness
from trainers.config import DataConfig
from trainers.randomness import GlobalRandom, derive_seed, fixed_latents

CPU = torch.device("cpu")
Results = list[dict[str, dict[str, Any]]]


def started(seed: int, epoch: int) -> GlobalRandom:
    random = GlobalRandom(seed, CPU)
    random.start_epoch(epoch)
    return random


@pytest.mark.parametrize("epoch", ["1", "2"])
def test_the_ranks_slices_are_the_parts_of_one_draw(two_rank_results: Results, epoch: str) -> None:
    whole = randomness()[epoch]
    parts = [result["randomness"][epoch] for result in two_rank_results]
    for name in ("noise", "again", "flip", "angle"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name])
        assert len(parts[0][name]) == 6 and not torch.equal(parts[0][name], parts[1][name])
    for name in ("order", "dropout"):  # the same on every rank
        assert all(torch.equal(part[name], whole[name]) for part in parts)


def test_epochs_reseed_and_differ() -> None:
    by_epoch = randomness()
    assert all(not torch.equal(by_epoch["1"][name], by_epoch["2"][name]) for name in by_epoch["1"])
    assert not torch.equal(by_epoch["1"]["noise"], by_epoch["1"]["again"])
    late = started(5, 2)  # without an epoch 1 before it
    late.augmentation(12, DataConfig(rotation_p=0.5))
    assert torch.equal(late.permutation(20), by_epoch["2"]["order"])
    assert torch.equal(late.normal(12, 3, 2), by_epoch["2"]["noise"])


def test_what_happens_between_epochs_shifts_nothing() -> None:
    random = started(5, 1)
    random.normal(3, 3)
    random.permutation(4)
    torch.rand(100)
    random.start_epoch(2)
    other = started(5, 2)
    assert torch.equal(random.normal(4), other.normal(4))
    assert torch.equal(random.permutation(9), other.permutation(9))


def test_noise_does_not_shift_the_order_of_the_data() -> None:
    noisy, quiet = started(5, 1), started(5, 1)
    noisy.normal(8, 3)
    assert torch.equal(noisy.permutation(20), quiet.permutation(20))


def test_seeds_differ() -> None:
    draws = [started(seed, epoch).normal(4) for seed, epoch in ((0, 1), (1, 1), (1, 2), (2, 1))]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


def test_orders_are_permutations_and_normals_are_normal() -> None:
    random = started(0, 1)
    assert torch.equal(random.permutation(50).sort().values, torch.arange(50))
    noise = random.normal(20_000)
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


def test_derived_seeds_depend_on_every_part_and_its_type() -> None:
    parts = [(0, 1, "noise"), (0, 1, "choices"), (0, 2, "noise"), (1, 1, "noise"), (0, 11), (0, 1, 1), ("0", 1, 1)]
    seeds = [derive_seed(*each) for each in parts]
    assert len(set(seeds)) == len(parts) and all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(0, 1, "noise") == seeds[0]
    assert derive_seed(0, "weights") == 2934036865011653446  # the same on every machine and Python


def test_fixed_latents_depend_on_their_arguments_alone() -> None:
    torch.manual_seed(1)
    latents = fixed_latents(6, 4, 1.0, seed=0, purpose="fid")
    torch.manual_seed(2)
    assert torch.equal(fixed_latents(6, 4, 1.0, seed=0, purpose="fid"), latents)
    assert torch.equal(fixed_latents(6, 4, 0.5, seed=0, purpose="fid"), latents * 0.5)
    for other in ({"seed": 1, "purpose": "fid"}, {"seed": 0, "purpose": "samples"}):
        assert not torch.equal(fixed_latents(6, 4, 1.0, **other), latents)
