"""measure_fid: the right images, quantised, under the right name."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance

from tests.trainers.metrics.metrics_helpers import DIM, Photos, Tiny, fake_sampler, real_of, tiny_extractor
from trainers.data.augment import to_uint8
from trainers.metrics import Extractor, FidResult, RealStatistics, measure_fid, protocol_name


def measure(real: RealStatistics, n: int, batch_size: int, spoiled: int | None = None) -> FidResult:
    return measure_fid(
        real,
        fake_sampler(n, spoiled),
        n_fake=n,
        extractor=tiny_extractor(),
        batch_size=batch_size,
        device="cpu",
    )


@pytest.mark.parametrize("n", [9, 50])
@pytest.mark.parametrize("batch_size", [4, 1000])
def test_value_is_that_of_the_quantised_samples(n: int, batch_size: int) -> None:
    extractor, photos = tiny_extractor(), Photos(60)
    result = measure(real_of(photos.pixels, extractor), n, batch_size)
    a = extractor(photos.pixels).double().numpy()
    b = extractor(to_uint8(fake_sampler(n)(0, n))).double().numpy()
    theirs = calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    assert result.value == pytest.approx(theirs, rel=1e-5)
    assert (result.name, result.n_real, result.n_fake) == (f"fid_tiny_8px_n{n}", 60, n)
    assert result.seconds > 0


@pytest.mark.parametrize("spoiled", [0, 32])
def test_a_sample_that_is_not_finite_gives_nan(spoiled: int) -> None:
    real = real_of(Photos(60).pixels, tiny_extractor())
    assert math.isfinite(measure(real, 33, 4).value)
    assert math.isnan(measure(real, 33, 4, spoiled).value)


def test_features_that_are_not_finite_give_nan() -> None:
    class Overflowing(Tiny):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) * 1e38 * 1e38

    real = real_of(Photos(60).pixels, tiny_extractor())
    extractor = Extractor(Overflowing(), protocol="overflowing", dim=DIM)
    result = measure_fid(real, fake_sampler(20), n_fake=20, extractor=extractor, batch_size=4, device="cpu")
    assert math.isnan(result.value)


def test_name_holds_protocol_and_count() -> None:
    assert protocol_name("inception2048", 10_000) == "fid_inception2048_n10000"
    assert protocol_name("efflite0_unit_64px", 256) == "fid_efflite0_unit_64px_n256"


def test_diversity_is_the_ratio_of_the_variances() -> None:
    extractor, photos = tiny_extractor(), Photos(60)
    for n in (9, 50):  # kept vectors, folded ones
        a, b = (extractor(x).double().numpy() for x in (photos.pixels, to_uint8(fake_sampler(n)(0, n))))
        ratio = np.trace(np.cov(b, rowvar=False)) / np.trace(np.cov(a, rowvar=False))
        assert measure(real_of(photos.pixels, extractor), n, 7).diversity == pytest.approx(ratio, rel=1e-5)


def test_diversity_tells_one_image_from_the_real_ones() -> None:
    photos = Photos(60)
    real = real_of(photos.pixels, tiny_extractor())
    pixels = photos.pixels.float() / 127.5 - 1
    samplers = {"real": lambda start, stop: pixels[start:stop], "one": lambda start, stop: pixels[[0] * (stop - start)]}
    found = {
        name: measure_fid(real, sampler, n_fake=60, extractor=tiny_extractor(), batch_size=16, device="cpu").diversity
        for name, sampler in samplers.items()
    }
    assert found["real"] == pytest.approx(1, rel=1e-4)
    assert found["one"] == pytest.approx(0, abs=1e-6)


def test_diversity_without_a_measure_is_nan() -> None:
    real = real_of(Photos(60).pixels, tiny_extractor())
    assert math.isnan(measure(real, 33, 4, spoiled=0).diversity)
    constant = real_of(Photos(1).pixels.repeat(5, 1, 1, 1), tiny_extractor())
    assert math.isnan(measure(replace(constant, trace=0.0), 33, 4).diversity)
