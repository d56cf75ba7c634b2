"""KID against torch-fidelity, precision, recall, density and coverage against prdc, on the same features."""

import contextlib
import io

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from prdc import compute_prdc
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from trainers.metrics.kid import kid
from trainers.metrics.neighbours import neighbours


def features(count: int, seed: int, shift: float = 0.0, spread: float = 1.0, dim: int = 24) -> Tensor:
    """Features [count, dim] that are correlated, as real ones are."""
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dim, dim)) / dim**0.5
    return torch.from_numpy((shift + spread * draw.normal(size=(count, dim)) @ mixing).astype(np.float32))


@pytest.mark.parametrize(("real", "fake", "size"), [(300, 300, 100), (250, 90, 80), (64, 70, 64)])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_kid_is_that_of_torch_fidelity(real: int, fake: int, size: int, shift: float) -> None:
    a, b = features(real, 0), features(fake, 1, shift)
    theirs = kid_features_to_metric(a, b, kid_subsets=20, kid_subset_size=size, rng_seed=2020, verbose=False)
    ours = kid(a, b, subsets=20, subset_size=size)
    assert ours.subset_size == size
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-5)
    assert ours.deviation == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-5)


def test_kid_of_torch_fidelitys_defaults() -> None:
    """Except that there are 12 subsets, not 100, to save time."""
    a, b = features(1200, 0), features(1100, 1, 0.1)
    theirs = kid_features_to_metric(a, b, kid_subsets=12, verbose=False)
    ours = kid(a, b, subsets=12)
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-5)
    assert ours.deviation == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-5)


def test_kid_of_many_images_whose_kernel_is_computed_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = features(120, 0), features(150, 1, 0.3)
    at_once = kid(a, b, subsets=5, subset_size=50)
    monkeypatch.setattr("trainers.metrics.kid.AT_ONCE", 200)
    by_parts = kid(a, b, subsets=5, subset_size=50)
    assert (by_parts.mean, by_parts.deviation) == pytest.approx((at_once.mean, at_once.deviation), rel=1e-9)


def test_kid_of_few_images_is_noisier_and_no_larger() -> None:
    few, many = (kid(features(count, 0), features(count, 1), subsets=20) for count in (40, 1000))
    assert few.subset_size == 20, "half of them, or all subsets would be one"
    assert few.deviation > many.deviation > 0
    assert abs(few.mean) < 0.3 and abs(many.mean) < 0.05


@settings(max_examples=15, deadline=None)
@given(
    real=st.integers(10, 120),
    fake=st.integers(10, 120),
    k=st.integers(1, 7),
    shift=st.floats(0, 2),
    spread=st.floats(0.05, 3),
)
def test_neighbours_are_those_of_prdc(real: int, fake: int, k: int, shift: float, spread: float) -> None:
    a, b = features(real, 0), features(fake, 1, shift, spread)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = compute_prdc(a.numpy(), b.numpy(), k)
    ours = neighbours(a, b, k)
    for name, value in theirs.items():
        assert getattr(ours, name) == pytest.approx(float(value), abs=1e-5), name


def test_more_images_than_a_block() -> None:
    a, b = features(1300, 0, dim=4), features(1100, 1, 0.5, dim=4)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = compute_prdc(a.numpy(), b.numpy(), 3)
    ours = neighbours(a, b, 3)
    assert {name: getattr(ours, name) for name in theirs} == pytest.approx(theirs, abs=1e-5)


def test_a_collapsed_generator_has_low_recall_and_a_noisy_one_low_precision() -> None:
    """So that the two are not swapped."""
    real = features(400, 0, dim=8)
    collapsed = real[:1] + 0.01 * features(400, 1, dim=8)  # copies of one image, nearly
    noisy = features(400, 2, spread=6.0, dim=8)  # around the real ones, and far from most
    one, other = neighbours(real, collapsed), neighbours(real, noisy)
    assert one.precision > 0.95 and one.recall < 0.05 and one.coverage < 0.05
    assert other.precision < 0.2 and other.recall > 0.8
    same = neighbours(real, features(400, 3, dim=8))
    assert min(same.precision, same.recall, same.coverage) > 0.7 and same.density == pytest.approx(1, abs=0.15)
