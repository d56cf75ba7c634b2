"""BatchNorm over the global batch: two ranks against torch's own on the whole of it."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.rank_cases import batchnorm
from trainers.networks.batchnorm import GlobalBatchNorm2d, synchronise_batchnorm

CPU = torch.device("cpu")
Results = list[dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """One rank: plain ``nn.BatchNorm2d``."""
    return batchnorm()


@pytest.fixture
def parts(two_rank_results: Results) -> list[dict[str, Any]]:
    return [result["batchnorm"] for result in two_rank_results]


def together(parts: list[dict[str, Any]], name: str) -> Tensor:
    return torch.cat([part[name] for part in parts])


# Inputs are 100 +- 3 in float32: eps 1.2e-7 x 100 / 3 is 4e-6 of a standard deviation.
@pytest.mark.parametrize("name", ["out_0", "x_grad_0", "out_1", "x_grad_1", "evaluated"])
def test_outputs_and_input_gradients(parts: list[dict[str, Any]], whole: dict[str, Any], name: str) -> None:
    torch.testing.assert_close(together(parts, name), whole[name], rtol=1e-5, atol=2e-5)
    assert (parts[0][name] - whole[name][4:]).abs().max() > 0.1  # the halves are not alike


@pytest.mark.parametrize("name", ["weight_grad", "bias_grad"])
def test_gradients_of_its_parameters_add_up(parts: list[dict[str, Any]], whole: dict[str, Any], name: str) -> None:
    torch.testing.assert_close(parts[0][name] + parts[1][name], whole[name], rtol=1e-5, atol=1e-4)


def test_running_statistics(parts: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    for part in parts:
        assert part["state"]["1.num_batches_tracked"] == whole["state"]["1.num_batches_tracked"] == 3
        for name in ("1.running_mean", "1.running_var"):
            torch.testing.assert_close(part["state"][name], whole["state"][name], rtol=1e-6, atol=0)


def test_state_is_interchangeable_with_torchs(parts: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    assert parts[0]["keys"] == whole["keys"]
    plain = nn.Sequential(nn.Identity(), nn.BatchNorm2d(3))
    plain.load_state_dict(parts[0]["state"])


def test_half_precision_stays_half_but_is_summed_in_single(parts: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    assert parts[0]["dtype"] == whole["dtype"] == "torch.bfloat16"
    torch.testing.assert_close(together(parts, "bf16"), whole["bf16"], rtol=2**-7, atol=1e-2)


def test_one_rank_keeps_torchs_own() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(2)))
    layers = list(module.modules())
    assert synchronise_batchnorm(module) is module
    assert all(a is b for a, b in zip(module.modules(), layers, strict=True))
    twin = GlobalBatchNorm2d(3)
    plain = deepcopy(nn.BatchNorm2d(3))
    x = torch.randn(4, 3, 5, 5)
    assert torch.equal(twin(x), plain(x)) and torch.equal(twin.running_var, plain.running_var)
