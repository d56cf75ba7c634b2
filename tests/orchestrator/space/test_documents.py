"""The bundled spaces start from their documents' own settings, and train G and D in their documents' proportion."""

from typing import Any

import pytest

from orchestrator.space.load import bundled_spaces, load_space
from tests.contracts.family_cases import BATCH, SIZE, fresh_family, take_steps
from trainers.config import TrainConfig

UNAUGMENTED = {"data.flip_p": 0, "data.rotation_p": 0, "data.crop_margin": 0, "data.contrast_p": 0}
PLAIN = {  # what no document has
    "regime.ema_halflife_images": None,
    "noise.instance_sigma": 0,
    "optimizer.grad_clip_norm": None,
    "regularizer.spectral_norm": False,
    "regularizer.gradient_penalty": 0,
    "regularizer.r1_gamma": 0,
    "regularizer.r2_gamma": 0,
    "regularizer.diffaugment": "",
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "ralsgan_motorbike": {  # the Zalo motorbike article, in the order of its text
        **PLAIN,
        "family": "adversarial",
        "loss.name": "ralsgan",
        "loss.real_label": 0.8,  # real_label = 0.8
        "loss.fake_label": -0.8,  # (outputF - torch.mean(outputR) + labels) ** 2; its fake_label = 0 is never used
        "data.image_size": 128,
        "data.fit": "pad",  # "padding images cho kết quả đầu ra tốt hơn"
        "data.flip_p": 0.5,  # RandomHorizontalFlip(p=0.5)
        "data.rotation_degrees": 5,  # RandomRotation(degrees=5)
        "data.rotation_p": 0.3,  # RandomApply(random_transforms, p=0.3)
        "data.contrast_p": 0,  # "mình có tăng độ tương phản nhưng kết quả ra khá tệ"
        "data.contrast_low": 0.9,  # ColorJitter(contrast=(0.9, 1.2)), commented out
        "data.contrast_high": 1.2,
        "data.crop_margin": 0,
        "network.name": "dcgan",
        "network.latent_dim": 128,  # nz=128
        "network.base_width": 32,  # the last hidden layer of G, the first of D
        "noise.latent_sigma": 1,  # torch.randn
        "regime.name": "classic",  # D, then G
        "regime.g_steps": 1,
        "regime.d_updates": "joint",  # one errD, one optimizerD.step()
        "data.batch_size": 64,  # batch_size = 64
        "optimizer.lr_g": 8e-4,  # LR_G = 0.0008
        "optimizer.lr_d": 8e-4,  # LR_D = 0.0008
        "optimizer.decay_start": None,
        "optimizer.name": "adam",  # not in the article; DCGAN's, betas too
        "optimizer.beta1": 0.5,
        "optimizer.beta2": 0.999,
        "schedule.epochs": 750,  # epochs = 750
        "schedule.window_first": 550,  # "trong khoảng 550 - 750 epochs"
        "regularizer.weight_clip": None,
        "fid.extractor": "inception",  # "evaluation metric là FID"
        "fid.n_fake": 10_000,  # "sinh ra 10000 ảnh"
    },
    "acgan_anime": {  # the MLDS HW4 report
        **PLAIN,
        **UNAUGMENTED,
        "family": "acgan",
        "network.name": "acgan_anime",
        "network.base_width": 32,
        "loss.real_label": 1,
        "loss.fake_label": 0,
        "noise.latent_sigma": 1,
        "noise.instance_on": "real",  # "在真實的影像加一些noise"
        "regime.name": "classic",  # "不要動態的依照loss來調整"
        "regime.g_steps": 2,
        "regime.d_updates": "separate",
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
        **PLAIN,
        "family": "cyclegan",
        "network.name": "resnet_patchgan",
        "data.fit": "stretch",  # imresize to load_size = 286, whatever the proportions
        "data.crop_margin": (286 - 256) / 256,  # then a crop of fine_size = 256
        "data.flip_p": 0.5,
        "data.rotation_p": 0,
        "data.contrast_p": 0,
        "loss.real_label": 1,
        "loss.fake_label": 0,
        "cycle.identity_weight": 0,
        "optimizer.beta2": 0.999,
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
        **PLAIN,
        **UNAUGMENTED,
        "data.fit": "stretch",  # "se llevan las mismas a un tamaño de 32x32x3"
        "network.name": "dcgan_cars",
        "network.base_width": 64,
        "noise.latent_sigma": 1,
        "loss.fake_label": 0,
        "regime.name": "classic",
        "optimizer.beta2": 0.999,  # Keras' default
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
        **PLAIN,
        **UNAUGMENTED,
        "network.name": "dcgan_pokemon",
        "loss.name": "bce",
        "noise.latent_sigma": 1,
        "regime.name": "classic",
        "schedule.epochs": 150,
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
        **PLAIN,
        **UNAUGMENTED,
        "data.image_size": 64,
        "data.batch_size": 32,
        "network.name": "wgan_pokemon",
        "network.latent_dim": 16,
        "network.base_width": 128,
        "noise.latent_sigma": 1,
        "schedule.epochs": 150,
        "loss.name": "wasserstein",
        "regularizer.weight_clip": 0.01,
        "regime.name": "n_critic",
        "regime.n_critic": 3,
        "optimizer.name": "rmsprop",
        "optimizer.lr_g": 5e-5,
        "optimizer.lr_d": 5e-5,
    },
}


WEIGHTS = ("loss.class_weights.hair", "loss.class_weights.eyes")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_base_is_the_documents(name: str) -> None:
    base = load_space(name).base.flat()
    assert {key: base[key] for key in DOCUMENTS[name]} == DOCUMENTS[name]


def test_every_document_is_here() -> None:
    """r3gan_small and losses_and_regimes come from papers, and from none of them their numbers."""
    assert DOCUMENTS.keys() == bundled_spaces().keys() - {"r3gan_small", "losses_and_regimes"}


def test_the_documents_further_experiments_are_points() -> None:
    sigmas = [point["noise.latent_sigma"] for point in load_space("acgan_anime").known_points()]
    assert set(sigmas) == {0.1, 0.2, 0.5, 1, 2}  # the five of the report's table
    weights = [{key: point[key] for key in WEIGHTS} for point in load_space("acgan_anime").known_points()]
    assert all(dict(zip(WEIGHTS, pair, strict=True)) in weights for pair in [(0.1, 0.1), (0.8, 0.8), (0.1, 0.2)])
    average = load_space("ralsgan_motorbike").known_points()[1]
    assert average == load_space("ralsgan_motorbike").known_points()[0] | {"regime.ema_halflife_images": 10000}


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
