"""The Frechet distance against pytorch-fid's, and against distances known on paper."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance

from trainers.errors import UserError
from trainers.metrics import Moments, RealStatistics, frechet_distance
from trainers.metrics.frechet import eigenvalues_on_gpu, eigenvectors_on_gpu


def moments_of(rows: np.ndarray) -> Moments:
    moments = Moments(rows.shape[1])
    for part in torch.from_numpy(rows).split(500):
        moments.update(part)
    return moments


def features(n: int, dim: int, seed: int) -> np.ndarray:
    """Like a network's: non-negative, correlated, with a spectrum that falls as a power law."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.random.default_rng(dim).standard_normal((dim, dim)))[0]
    scale = np.arange(1, dim + 1) ** -0.7 * (1 + 0.3 * rng.standard_normal(dim))
    mean = 0.4 + 0.3 / dim**0.5 * rng.standard_normal(dim)
    return np.maximum(mean + rng.standard_normal((n, dim)) * scale @ basis.T, 0)


@pytest.mark.filterwarnings("ignore:Matrix is singular")
@pytest.mark.parametrize(
    ("dim", "n_real", "n_fake"),
    [
        (64, 500, 400),
        (64, 500, 20),
        (64, 20, 500),
        (64, 30, 20),
        (64, 64, 64),
        (64, 65, 65),
        (512, 1500, 1200),
        (512, 1500, 100),
        pytest.param(2048, 4000, 300, marks=pytest.mark.slow),
    ],
)
def test_equals_pytorch_fid(dim: int, n_real: int, n_fake: int) -> None:
    a, b = features(n_real, dim, seed=1), features(n_fake, dim, seed=2)
    theirs = calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    ours = frechet_distance(RealStatistics.from_moments(moments_of(a)), moments_of(b))
    means_only = ((a.mean(0) - b.mean(0)) ** 2).sum()
    assert means_only < 0.8 * theirs  # so that a wrong trace term shows
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_known_distance_of_scaled_and_shifted_vectors() -> None:
    """b = 3 a + 2 has S_b = 9 S_a, so d = |m_b - m_a|^2 + (3 - 1)^2 tr S_a."""
    a = features(300, 16, seed=3)
    b = 3 * a + 2
    expected = ((b.mean(0) - a.mean(0)) ** 2).sum() + 4 * np.trace(np.cov(a, rowvar=False))
    assert frechet_distance(RealStatistics.from_moments(moments_of(a)), moments_of(b)) == pytest.approx(expected)


def test_same_vectors_are_no_distance_apart() -> None:
    for n in (10, 300):
        a = features(n, 16, seed=4)
        assert frechet_distance(RealStatistics.from_moments(moments_of(a)), moments_of(a)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [5, 300])
def test_constant_features_leave_the_distance_of_the_means(n: int) -> None:
    """A collapsed generator, and a dataset of one colour."""
    constant, other = np.full((n, 16), 0.5), np.full((n, 16), 0.75)
    assert frechet_distance(RealStatistics.from_moments(moments_of(constant)), moments_of(other)) == pytest.approx(1)


def test_repeated_features_double_the_distance() -> None:
    """They make both covariances singular, with eigenvalues that rounding puts on either side of 0."""
    a, b = features(300, 16, seed=8), features(200, 16, seed=9)
    once = frechet_distance(RealStatistics.from_moments(moments_of(a)), moments_of(b))
    twice = RealStatistics.from_moments(moments_of(np.hstack([a, a])))
    assert twice.root.shape == (32, 16)
    assert frechet_distance(twice, moments_of(np.hstack([b, b]))) == pytest.approx(2 * once, rel=1e-9)


@pytest.mark.parametrize("n", [10, 100])
def test_statistics_survive_a_file(tmp_path: Path, n: int) -> None:
    before = RealStatistics.from_moments(moments_of(features(n, 24, seed=5)))
    before.save(tmp_path / "real.npz")
    after = RealStatistics.load(tmp_path / "real.npz")
    assert (after.n, after.trace) == (before.n, before.trace) == (n, pytest.approx(before.trace))
    assert torch.equal(after.mean, before.mean)
    assert torch.equal(after.root, before.root)
    assert [path.name for path in tmp_path.iterdir()] == ["real.npz"]


def test_root_times_its_transpose_is_the_covariance() -> None:
    for n in (10, 100):
        rows = features(n, 24, seed=6)
        root = RealStatistics.from_moments(moments_of(rows)).root.numpy()
        np.testing.assert_allclose(root @ root.T, np.cov(rows, rowvar=False), atol=1e-12)


def test_half_a_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "real.npz"
    RealStatistics.from_moments(moments_of(features(50, 24, seed=7))).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match=f"{re.escape(str(path))} holds no FID statistics"):
        RealStatistics.load(path)


@pytest.mark.parametrize("name", ["eigvalsh", "eigh"])
def test_a_solver_that_does_not_converge_is_repeated_on_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As cuSOLVER may do: the first call raises what torch raises then; the second is torch's own, in float64."""
    solve, asked = getattr(torch.linalg, name), []

    def first_fails(matrix: torch.Tensor) -> object:
        asked.append((matrix.dtype, matrix.device.type))
        if len(asked) == 1:
            raise torch.linalg.LinAlgError("the algorithm failed to converge")
        return solve(matrix)

    monkeypatch.setattr(torch.linalg, name, first_fails)
    covariance = torch.from_numpy(np.cov(features(300, 16, seed=1), rowvar=False)).float()
    result = (eigenvalues_on_gpu if name == "eigvalsh" else eigenvectors_on_gpu)(covariance)
    assert asked == [(torch.float32, "cpu"), (torch.float64, "cpu")]
    values = result[0] if isinstance(result, tuple) else result
    assert values.tolist() == pytest.approx(np.linalg.eigvalsh(covariance.double().numpy()).tolist())


def test_other_errors_of_a_solver_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(matrix: torch.Tensor) -> object:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(torch.linalg, "eigvalsh", out_of_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        eigenvalues_on_gpu(torch.eye(2))
