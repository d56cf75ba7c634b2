"""Networks without initial weights: only what is drawn is left out, and a checkpoint sets all of it."""

import pytest
import torch

from tests.contracts.family_cases import CASES, case_config
from trainers.engine.blank import without_draws
from trainers.families import build_family
from trainers.randomness import GlobalRandom

CPU = torch.device("cpu")


def test_only_draws_are_left_out() -> None:
    with without_draws():
        before = torch.get_rng_state()
        norm, linear = torch.nn.BatchNorm2d(4), torch.nn.Linear(64, 64)
        torch.nn.init.xavier_uniform_(linear.weight)
        assert torch.equal(torch.get_rng_state(), before)
    assert norm.weight.tolist() == [1] * 4 and norm.running_mean is not None and not norm.running_mean.any()
    assert linear.weight.shape == (64, 64) and linear.weight.requires_grad


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_sets_all_that_was_left_out(name: str) -> None:
    """Every parameter and every buffer, also of those that are in no checkpoint."""
    config = case_config(name, {"regime.ema_halflife_images": 100.0})
    whole = build_family(config, CPU, GlobalRandom(config.seed, CPU))
    blank = build_family(config, CPU, GlobalRandom(config.seed, CPU), blank=True)
    parts = ("generator", "discriminator", "average")
    blank.load_state_dict(whole.state_dict())
    for part in parts:
        theirs, ours = getattr(whole, part), getattr(blank, part)
        for kind in ("named_parameters", "named_buffers"):
            expected, found = dict(getattr(theirs, kind)()), dict(getattr(ours, kind)())
            assert expected.keys() == found.keys()
            assert [key for key, value in expected.items() if not torch.equal(value, found[key])] == []
            assert [value.requires_grad for value in expected.values()] == [one.requires_grad for one in found.values()]
