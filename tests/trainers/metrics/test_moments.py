"""Streamed moments against numpy on all vectors at once, in one process and in two."""

import numpy as np
import pytest
import torch

from tests.trainers.metrics.metrics_helpers import DIM, Photos, fake_sampler, feature_rows, real_of, tiny_extractor
from trainers.metrics import Moments, RealStatistics, frechet_distance, measure_fid


@pytest.mark.parametrize("n", [2, 23, 24, 25, 26, 300])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_streamed_moments_equal_numpy(n: int, batch: int) -> None:
    rows = feature_rows(n, 24)
    moments = Moments(24)
    for part in rows.split(batch):
        moments.update(part)
    expected = np.cov(rows.numpy(), rowvar=False)
    assert moments.n == n
    assert (moments.centred is None) == (n > 24)
    np.testing.assert_allclose(moments.mean.numpy(), rows.numpy().mean(0), rtol=1e-14)
    np.testing.assert_allclose(moments.covariance.numpy(), expected, atol=1e-9)
    assert moments.trace == pytest.approx(np.trace(expected), rel=1e-11)


def test_float32_features_are_summed_in_float64() -> None:
    rows = (1e4 + torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))).float()
    moments = Moments(3)
    for part in rows.split(100):
        moments.update(part)
    np.testing.assert_allclose(moments.covariance.numpy(), np.cov(rows.double().numpy(), rowvar=False), rtol=1e-9)


@pytest.mark.parametrize("n_real", [10, 40])
def test_gram_form_equals_covariance_form(n_real: int) -> None:
    """24 dimensions; 20 fakes are compared as they are, and once more after forcing them into a covariance."""
    real = Moments(24)
    real.update(feature_rows(n_real, 24))
    kept, folded = Moments(24), Moments(24)
    kept.update(feature_rows(20, 24) * 1.1)
    folded.update(feature_rows(20, 24) * 1.1)
    folded._fold()
    assert kept.centred is not None
    assert folded.centred is None
    statistics = RealStatistics.from_moments(real)
    assert frechet_distance(statistics, kept) == pytest.approx(frechet_distance(statistics, folded), rel=1e-10)


@pytest.mark.parametrize(
    ("case", "n", "dim"),
    [
        ("even_folded", 80, 6),
        ("uneven_folded", 80, 6),
        ("one_rank_empty", 80, 6),
        ("few", 18, 24),
        ("few_on_one_rank", 18, 24),
    ],
)
def test_moments_over_two_ranks_equal_numpy(
    two_ranks: list[dict[str, dict[str, object]]], case: str, n: int, dim: int
) -> None:
    rows = feature_rows(n, dim).numpy()
    for of_rank in two_ranks:
        got = of_rank[case]
        assert got["n"] == n
        assert got["folded"] == (n > dim)
        np.testing.assert_allclose(got["mean"], rows.mean(0), rtol=1e-14)
        np.testing.assert_allclose(got["covariance"], np.cov(rows, rowvar=False), atol=1e-9)


@pytest.mark.parametrize(("case", "n_fake"), [("fid_odd", 33), ("fid_few", 7)])
def test_two_ranks_measure_the_fid_of_one(
    two_ranks: list[dict[str, dict[str, object]]], case: str, n_fake: int
) -> None:
    assert (n_fake > DIM) == (case == "fid_odd")  # one case folds, the other does not
    extractor = tiny_extractor()
    real = real_of(Photos(50).pixels, extractor)
    alone = measure_fid(real, fake_sampler(n_fake), n_fake=n_fake, extractor=extractor, batch_size=100, device="cpu")
    first, second = (of_rank[case] for of_rank in two_ranks)
    assert first["value"] == second["value"] == pytest.approx(alone.value, rel=1e-6)
    assert first["name"] == alone.name
    assert first["n_fake"] == n_fake
    assert (first["seen"], second["seen"]) == (n_fake // 2, n_fake - n_fake // 2)


def test_one_bad_sample_makes_the_value_nan_on_every_rank(two_ranks: list[dict[str, dict[str, object]]]) -> None:
    values = [of_rank["fid_nonfinite_on_rank_1"]["value"] for of_rank in two_ranks]
    assert [value != value for value in values] == [True, True]
