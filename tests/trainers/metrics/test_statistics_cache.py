"""Statistics of the real images are computed once per dataset and extractor."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainers.metrics.metrics_helpers import DIM, Photos, Tiny, tiny_extractor
from trainers.errors import UserError
from trainers.metrics import Extractor, RealStatistics, build_extractor, real_statistics, register_extractor


def statistics(images: Photos, extractor: Extractor, cache_dir: Path) -> RealStatistics:
    return real_statistics(images, extractor=extractor, cache_dir=cache_dir, batch_size=16, device="cpu")


def seen(extractor: Extractor) -> int:
    assert isinstance(extractor.network, Tiny)
    return extractor.network.images


@pytest.mark.parametrize("n", [9, 50])
def test_second_call_reads_what_the_first_computed(tmp_path: Path, n: int) -> None:
    register_extractor("counting", lambda weights: tiny_extractor())
    photos, extractor = Photos(n), build_extractor("counting")
    first = statistics(photos, extractor, tmp_path / "made" / "when" / "missing")
    assert seen(extractor) == n
    second = statistics(photos, extractor, tmp_path / "made" / "when" / "missing")
    assert seen(extractor) == n
    features = extractor(photos.pixels).double().numpy()
    for got in (first, second):
        assert got.n == n
        np.testing.assert_allclose(got.mean, features.mean(0), rtol=1e-6)
        np.testing.assert_allclose(got.root @ got.root.T, np.cov(features, rowvar=False), atol=1e-8)


def test_weights_protocol_and_images_each_have_their_entry(tmp_path: Path) -> None:
    statistics(Photos(20), tiny_extractor(), tmp_path)
    for images, extractor in [
        (Photos(20), tiny_extractor(seed=1)),
        (Photos(20), Extractor(Tiny(), protocol="tiny_16px", dim=DIM)),
        (Photos(20, digest="other photos"), tiny_extractor()),
    ]:
        statistics(images, extractor, tmp_path)
        assert seen(extractor) == 20
    assert len(list(tmp_path.glob("fid_*.npz"))) == 4


def test_fingerprint_sees_values_and_not_memory_order() -> None:
    extractor = tiny_extractor()
    before = extractor.fingerprint()
    extractor.network.to(memory_format=torch.contiguous_format)
    assert extractor.fingerprint() == before == tiny_extractor().fingerprint()
    with torch.no_grad():
        extractor.network.weight[0, 0, 0, 0].mul_(1.0001)
    assert extractor.fingerprint() != before


def test_progress_counts_images(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        real_statistics(
            Photos(20),
            extractor=tiny_extractor(),
            cache_dir=tmp_path,
            batch_size=8,
            device="cpu",
            progress=lambda done, total: calls.append((done, total)),
        )
    assert calls == [(8, 20), (16, 20), (20, 20)]


def test_one_image_has_no_covariance(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 2 real images, got 1"):
        statistics(Photos(1), tiny_extractor(), tmp_path)
