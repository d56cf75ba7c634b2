"""What is measured beside FID: from the same features, in the same pass, under names that say how."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from tests.trainers.metrics.metrics_helpers import DIM, Photos, Tiny, fake_sampler, real_of, tiny_extractor
from trainers.data.augment import to_uint8
from trainers.errors import UserError
from trainers.metric_names import VALUES, all_values, metric_of, neighbours_of, protocol_of, short_name, value_of
from trainers.metrics import Beside, Extractor, FidResult, beside, measure_beside, measure_fid, real_features
from trainers.metrics.inception_score import inception_score
from trainers.metrics.kid import kid
from trainers.metrics.neighbours import neighbours
from trainers.metrics.statistics_cache import chosen_images, real_statistics

N_FAKE = 37


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def measured(names: tuple[str, ...] = ("kid", "prdc"), n_fake: int = N_FAKE, k: int = 5) -> FidResult:
    extractor = tiny_extractor()
    photos = Photos(50).pixels
    return measure_fid(
        real_of(photos, extractor),
        fake_sampler(n_fake),
        n_fake=n_fake,
        extractor=extractor,
        batch_size=4,
        device="cpu",
        beside=Beside(names=names, k=k, real=extractor(photos)),
    )


def test_the_same_features_as_fid_and_a_name_that_says_how() -> None:
    extractor = tiny_extractor()
    real, fake = extractor(Photos(50).pixels), extractor(to_uint8(fake_sampler(N_FAKE)(0, N_FAKE)))
    shares = neighbours(real, fake, 5)
    assert measured().beside == pytest.approx(
        {
            f"kid_tiny_8px_n{N_FAKE}": kid(real, fake).mean,
            f"kid_deviation_tiny_8px_n{N_FAKE}": kid(real, fake).deviation,
            f"precision_tiny_8px_n{N_FAKE}_k5": shares.precision,
            f"recall_tiny_8px_n{N_FAKE}_k5": shares.recall,
            f"density_tiny_8px_n{N_FAKE}_k5": shares.density,
            f"coverage_tiny_8px_n{N_FAKE}_k5": shares.coverage,
        }
    )
    assert measured(("kid",)).beside.keys() == {f"kid_tiny_8px_n{N_FAKE}", f"kid_deviation_tiny_8px_n{N_FAKE}"}


def test_other_neighbourhoods() -> None:
    extractor = tiny_extractor()
    shares = neighbours(extractor(Photos(50).pixels), extractor(to_uint8(fake_sampler(N_FAKE)(0, N_FAKE))), 9)
    assert measured(("prdc",), k=9).beside == pytest.approx(
        {f"{name}_tiny_8px_n{N_FAKE}_k9": getattr(shares, name) for name in VALUES["prdc"]}
    )
    assert value_of(measured(("prdc",)).beside, "density") != pytest.approx(shares.density), "it makes a difference"
    assert measured(("prdc",), n_fake=9, k=9).beside == {}


def test_no_more_features_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them, and the name says how many."""
    monkeypatch.setattr(beside, "KEPT", 10)
    extractor = tiny_extractor()
    fake = extractor(to_uint8(fake_sampler(N_FAKE)(0, 10)))
    first = kid(extractor(Photos(50).pixels), fake)
    assert measured(("kid",)).beside == pytest.approx(
        {"kid_tiny_8px_n10": first.mean, "kid_deviation_tiny_8px_n10": first.deviation}
    )


def test_too_few_fakes_have_no_neighbours() -> None:
    assert measured(n_fake=5).beside.keys() == {"kid_tiny_8px_n5", "kid_deviation_tiny_8px_n5"}
    assert len(measured(n_fake=6).beside) == 6


def test_a_collapsed_generator_has_low_recall_and_a_noisy_one_low_precision() -> None:
    real = numbers(300, 8)
    collapsed = real[:1] + 0.01 * numbers(300, 8, seed=1)
    noisy = 8 * numbers(300, 8, seed=2)
    extractor = tiny_extractor()
    one, other = (measure_beside(("prdc",), real, fake, extractor) for fake in (collapsed, noisy))
    assert value_of(one, "recall") < 0.05 < 0.95 < value_of(one, "precision")
    assert value_of(other, "precision") < 0.2 and value_of(other, "recall") > 0.8


def test_the_inception_score_is_that_of_torch_fidelity() -> None:
    features, classes = numbers(203, 16), numbers(7, 16, seed=1)
    theirs = isc_features_to_metric(features @ classes.T)["inception_score_mean"]
    assert inception_score(features, classes) == pytest.approx(theirs, rel=1e-6)
    assert theirs > 1.5, "as that of one class it would be 1"


def test_the_inception_score_needs_classes() -> None:
    classes = numbers(7, DIM)
    knows = Extractor(Tiny(), protocol="tiny_8px", dim=DIM, classes=classes)
    real, fake = numbers(30, DIM), numbers(20, DIM, seed=1)
    assert measure_beside(("inception_score",), real, fake, tiny_extractor()) == {}
    assert measure_beside(("inception_score",), real, fake[:9], knows) == {}
    found = measure_beside(("inception_score",), real, fake, knows)
    assert found == {"inception_score_tiny_8px_n20": inception_score(fake, classes)}
    assert knows.fingerprint() == tiny_extractor().fingerprint(), "or every cache would be made again"


def test_names() -> None:
    found = {"kid_deviation_x_n9": 0.3, "kid_x_n9": 0.1, "recall_x_n9_k5": 0.2, "inception_score_x_n9": 3.0}
    assert [value_of(found, name) for name in ("kid", "recall", "inception_score", "density")] == [0.1, 0.2, 3.0, None]
    assert protocol_of(found, "recall") == "recall_x_n9_k5" and protocol_of({}, "recall") is None
    assert [short_name(name) for name in found] == ["kid_deviation", "kid", "recall", "inception_score"]
    assert [neighbours_of(name) for name in (*found, "density_x_k9_n9_k12", "fid_x_k9")] == [
        *(None, None, 5, None, 12, None)
    ]
    assert [metric_of(value) for value in all_values()] == [name for name in VALUES for _ in VALUES[name]]


# What is kept of the real images


def kept(photos: Photos, extractor: Extractor, folder: Path) -> Tensor:
    return real_features(photos, extractor=extractor, cache_dir=folder, batch_size=16, device="cpu")


def test_the_pass_of_fid_keeps_the_real_features(tmp_path: Path) -> None:
    extractor, photos = tiny_extractor(), Photos(50)
    real_statistics(photos, extractor=extractor, cache_dir=tmp_path, batch_size=16, device="cpu")
    assert isinstance(extractor.network, Tiny) and extractor.network.images == 50
    found = kept(photos, extractor, tmp_path)
    assert extractor.network.images == 50, "they were not extracted again"
    torch.testing.assert_close(found, extractor(photos.pixels))


def test_beside_statistics_of_an_older_version_they_are_computed_alone(tmp_path: Path) -> None:
    extractor, photos = tiny_extractor(), Photos(50)
    alone = kept(photos, extractor, tmp_path / "alone")
    real_statistics(photos, extractor=extractor, cache_dir=tmp_path / "both", batch_size=16, device="cpu")
    assert torch.equal(alone, kept(photos, extractor, tmp_path / "both"))
    assert not list((tmp_path / "alone").glob("fid_*.npz"))


def test_of_many_a_choice_that_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("trainers.metrics.statistics_cache.KEPT", 20)
    extractor, photos = tiny_extractor(), Photos(50)
    chosen = chosen_images(50)
    assert chosen.sum() == 20 and torch.equal(chosen, chosen_images(50))
    assert not chosen[:20].all(), "files that come first are often alike"
    torch.testing.assert_close(kept(photos, extractor, tmp_path), extractor(photos.pixels[chosen]))
    assert extractor.network.images == 40, "those that are not kept are not looked at"  # and 20 by the line above
    real_statistics(photos, extractor=extractor, cache_dir=tmp_path / "pass", batch_size=7, device="cpu")
    torch.testing.assert_close(kept(photos, extractor, tmp_path / "pass"), kept(photos, extractor, tmp_path))


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    extractor, photos = tiny_extractor(), Photos(9)
    kept(photos, extractor, tmp_path)
    (file,) = tmp_path.glob("features*.npy")
    file.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"features\d+_.*\.npy holds no features: .*delete it"):
        kept(photos, extractor, tmp_path)
    np.save(file, np.zeros((9, DIM), np.float32))
    assert kept(photos, extractor, tmp_path).sum() == 0
