"""The bundled spaces start from their documents' own settings, and train G and D in their documents' proportion."""

from typing import Any

import pytest

from orchestrator.space.load import load_space
from tests.contracts.family_cases import BATCH, SIZE, fresh_family, take_steps
from trainers.config import TrainConfig

DOCUMENTS: dict[str, dict[str, Any]] = {
    "acgan_anime": {  # the MLDS HW4 report
        "data.image_size": 96,
        "data.batch_size": 64,
        "network.latent_dim": 100,
        "loss.name": "bce",
        "loss.class_weights.hair": 0.3,
        "loss.class_weights.eyes": 0.35,
        "optimizer.name": "adam",
        "optimizer.lr_g": 2e-4,
        "optimizer.lr_d": 2e-4,
        "optimizer.beta1": 0.5,
        "optimizer.beta2": 0.999,
    },
    "cyclegan_ukiyoe": {  # the MLDS HW4 report, bonus: the defaults of the repository that it used
        "data.image_size": 256,
        "data.batch_size": 1,
        "network.base_width": 64,
        "loss.name": "lsgan",
        "cycle.weight": 10,
        "cycle.buffer_size": 50,
        "optimizer.lr_g": 2e-4,
        "optimizer.lr_d": 2e-4,
        "optimizer.beta1": 0.5,
        "optimizer.decay_start": 0.5,
        "schedule.epochs": 200,
    },
    "dcgan_cars": {  # the CompCars report
        "data.image_size": 32,
        "network.latent_dim": 100,
        "network.dropout": 0.4,
        "loss.name": "bce",
        "regime.d_updates": "separate",
        "optimizer.lr_g": 2e-4,
        "optimizer.lr_d": 2e-4,
        "optimizer.beta1": 0.5,
    },
    "dcgan_pokemon": {  # the Edouard99/GAN repository
        "data.image_size": 64,
        "data.batch_size": 32,
        "network.latent_dim": 16,
        "network.base_width": 128,
        "loss.real_label": 0.95,
        "loss.fake_label": 0.05,
        "regime.monitored_ratio": 0.8,
        "optimizer.lr_g": 1.5e-4,
        "optimizer.lr_d": 1.5e-4,
        "optimizer.beta1": 0.5,
        "optimizer.beta2": 0.999,
    },
    "wgan_pokemon": {  # the Edouard99/GAN repository
        "loss.name": "wasserstein",
        "regularizer.weight_clip": 0.01,
        "regime.name": "n_critic",
        "regime.n_critic": 3,
        "optimizer.name": "rmsprop",
        "optimizer.lr_g": 5e-5,
        "optimizer.lr_d": 5e-5,
    },
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_base_is_the_documents(name: str) -> None:
    base = load_space(name).base.flat()
    assert {key: base[key] for key in DOCUMENTS[name]} == DOCUMENTS[name]


def test_acgan_knows_twelve_hair_and_eleven_eye_colours() -> None:
    labels = load_space("acgan_anime").base.labels
    assert isinstance(labels, dict)
    assert {name: len(set(classes)) for name, classes in labels.items()} == {"hair": 12, "eyes": 11}


@pytest.mark.parametrize(
    ("name", "d_updates", "g_updates"),
    [
        ("ralsgan_motorbike", 6, 6),
        ("acgan_anime", 6, 12),  # one to two
        ("cyclegan_ukiyoe", 6, 6),
        ("dcgan_cars", 6, 6),
        ("dcgan_pokemon", 6, 6),
        ("wgan_pokemon", 6, 2),  # three to one
        ("r3gan_small", 6, 6),
    ],
)
def test_updates_are_in_the_documents_proportion(name: str, d_updates: int, g_updates: int) -> None:
    small = {"data.image_size": SIZE, "data.batch_size": BATCH, "network.base_width": 4}
    config = TrainConfig.build(load_space(name).base.model_dump(), small)
    steps = take_steps(fresh_family(config), 6)
    assert sum(float(step["d_updates"]) for step in steps) == d_updates
    assert sum(float(step["g_updates"]) for step in steps) == g_updates
