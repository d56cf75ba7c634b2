"""Images from the generator of a checkpoint."""

from pathlib import Path

import pytest
import torch

from tests.trainers.trainer_helpers import Recorder, load, small_config
from trainers.assets import Assets
from trainers.inference import FinishedGenerator, load_generator
from trainers.loop import train
from trainers.metrics import measure_fid
from trainers.randomness import fixed_latents

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("halflife", [100.0, None], ids=["average", "no_average"])
def test_the_best_generator_has_the_fid_of_its_epoch(assets: Assets, tmp_path: Path, halflife: float | None) -> None:
    config, recorder = small_config({"regime.ema_halflife_images": halflife}), Recorder()
    outcome = train(config, assets, tmp_path, recorder)
    generator = load_generator(tmp_path / "best.pt")
    assert not generator.training and not any(p.requires_grad for p in generator.parameters())
    latents = fixed_latents(
        config.fid.n_fake, config.network.latent_dim, config.noise.latent_sigma, seed=config.seed, purpose="fid"
    )
    images = generator(latents)
    assert images.shape == (30, 3, 32, 32) and images.abs().max() <= 1
    fid = measure_fid(
        assets.statistics(config),
        lambda start, stop: images[start:stop],
        n_fake=config.fid.n_fake,
        extractor=assets.extractor(config),
        batch_size=7,
        device="cpu",
    ).value
    # The memory order is another one here, so a byte in thousands may be rounded the other way.
    assert fid == pytest.approx(recorder.fids[outcome.best_epoch], rel=1e-4)
    assert fid == pytest.approx(outcome.objective, rel=1e-4)
    assert min(abs(fid / other - 1) for epoch, other in recorder.fids.items() if epoch != outcome.best_epoch) > 1e-3


def test_the_average_is_preferred(assets: Assets, tmp_path: Path) -> None:
    train(small_config(), assets, tmp_path, Recorder())
    family = load(tmp_path / "best.pt")["family"]
    weights = load_generator(tmp_path / "best.pt").state_dict()
    assert all(torch.equal(value, family["average"][name]) for name, value in weights.items())
    assert any(not torch.equal(value, family["generator"][name]) for name, value in weights.items())


def test_an_image_depends_on_its_number_and_seed_alone(assets: Assets, tmp_path: Path) -> None:
    """Byte for byte, whichever others are made along with it: a large set can be made in parts, and gone on with."""
    train(small_config(), assets, tmp_path, Recorder())
    generator = FinishedGenerator.load(tmp_path / "best.pt", dtype=torch.float64)
    whole = generator.pixels(generator.inputs(range(70), seed=3))
    assert whole.dtype == torch.uint8 and whole.shape == (70, 3, 32, 32)
    for part in (range(5), range(41, 70), range(69, 70)):
        assert torch.equal(generator.pixels(generator.inputs(part, seed=3)), whole[part.start : part.stop])
    assert not torch.equal(generator.pixels(generator.inputs(range(70), seed=4)), whole)


def test_truncation_brings_latents_closer_to_their_mean(assets: Assets, tmp_path: Path) -> None:
    train(small_config(), assets, tmp_path, Recorder())
    generator = FinishedGenerator.load(tmp_path / "best.pt")
    assert torch.allclose(generator.inputs(range(4), truncation=0.5), generator.inputs(range(4)) / 2)
    assert generator.pixels(generator.inputs(range(4), truncation=0.0)).float().std(dim=0).max() == 0


def test_the_digest_names_the_weights(assets: Assets, tmp_path: Path) -> None:
    train(small_config(), assets, tmp_path, Recorder())
    one, again = (
        FinishedGenerator.load(tmp_path / "best.pt"),
        FinishedGenerator.load(tmp_path / "best.pt", dtype=torch.float64),
    )
    assert one.digest == again.digest and len(one.digest) == 16
    next(iter(again.module.parameters()))[:] += 1
    other = FinishedGenerator.load(tmp_path / "best.pt")
    next(iter(other.module.parameters()))[:] += 1
    assert other.digest != one.digest
