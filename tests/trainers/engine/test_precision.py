"""Which kernels a run uses; the flags exist on every machine, a GPU reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.confirm import confirm
from trainers.engine.precision import set_up_kernels
from trainers.loop import train
from trainers.metrics import Extractor

SHORT = {"schedule.epochs": 1, "schedule.window_first": 1}


def flags() -> tuple[bool, bool, bool]:
    """TF32 in cuBLAS, TF32 in cuDNN, cuDNN measures its algorithms."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark


@pytest.fixture(autouse=True)
def other_tests_have_torchs_own() -> Iterator[None]:
    before = flags()
    yield
    matmul, cudnn, benchmark = before
    torch.backends.cuda.matmul.allow_tf32 = matmul
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = cudnn, benchmark


@pytest.mark.parametrize(
    ("overrides", "tf32"),
    [
        ({}, True),
        ({"runtime.tf32": False}, False),
        ({"regularizer.r1_gamma": 1.0}, False),
        ({"regularizer.r2_gamma": 1.0}, False),
        ({"regularizer.gradient_penalty": 1.0, "loss.name": "wasserstein"}, False),
    ],
)
def test_tf32_is_what_the_run_says_and_off_where_penalties_run(overrides: dict[str, Any], tf32: bool) -> None:
    set_up_kernels(small_config({**overrides}))
    assert flags() == (tf32, tf32, True)


def test_every_run_sets_its_own(assets: Assets, tmp_path: Path) -> None:
    """A gang trains one trial after another in a process, and measures best checkpoints in between."""
    train(small_config({**SHORT, "regularizer.r1_gamma": 1.0}), assets, tmp_path / "penalised", Recorder())
    assert flags() == (False, False, True)
    train(small_config(SHORT), assets, tmp_path / "plain", Recorder())
    assert flags() == (True, True, True)
    confirm(assets, tmp_path / "penalised", 1)
    assert flags() == (False, False, True)


def test_an_extractor_never_uses_tf32() -> None:
    seen = []

    class Watches(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(flags()[:2])
            return images.float().mean((2, 3))

    set_up_kernels(small_config())
    Extractor(Watches(), protocol="watches", dim=3)(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))
    assert seen == [(False, False)] and flags() == (True, True, True)
