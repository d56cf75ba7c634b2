"""Network pairs by name. A new pair is one file and one row here; tests/contracts runs on every row.

`NETWORKS` turn latents into images, `TRANSLATORS` images into images.
"""

from collections.abc import Callable

from torch import nn

from trainers.config import NetworkConfig
from trainers.errors import unknown_name
from trainers.networks import acgan_anime, dcgan, dcgan_cars, pokemon, r3gan_small, resnet_patchgan
from trainers.networks.without_batchnorm import leave_out_batchnorm

Pair = tuple[nn.Module, nn.Module]

# (config, image_size, inputs, outputs): G takes [B, inputs], D gives [B, outputs]
NETWORKS: dict[str, Callable[[NetworkConfig, int, int, int], Pair]] = {
    "dcgan": dcgan.build,
    "acgan_anime": acgan_anime.build,
    "dcgan_cars": dcgan_cars.build,
    "dcgan_pokemon": pokemon.build_dcgan,
    "wgan_pokemon": pokemon.build_wgan,
    "r3gan_small": r3gan_small.build,
}
TRANSLATORS: dict[str, Callable[[NetworkConfig, int], Pair]] = {
    "resnet_patchgan": resnet_patchgan.build,
}


def build_networks(config: NetworkConfig, image_size: int, classes: int = 0) -> Pair:
    """G ``[B, latent_dim + classes] -> [B, 3, S, S]`` in [-1, 1] and D ``[B, 3, S, S] -> [B, 1 + classes]`` logits.

    With classes G's input is a latent and one-hot classes side by side, and D's further outputs are the
    logits of its class heads side by side: any pair can be conditional.

    Raises:
        UserError: no such pair, or it cannot make images of that size, or has no BatchNorm to leave out.
    """
    if config.name not in NETWORKS:
        raise unknown_name("network.name", config.name, NETWORKS)
    return _as_configured(NETWORKS[config.name](config, image_size, config.latent_dim + classes, 1 + classes), config)


def build_translators(config: NetworkConfig, image_size: int, needed_by: str = "a translation") -> Pair:
    """Generator ``[B, 3, S, S] -> [B, 3, S, S]`` in [-1, 1] and discriminator ``[B, 3, S, S] -> [B, 1, h, w]`` logits.

    Args:
        config: the pair.
        image_size: S, pixels.
        needed_by: what needs translators, for the error's text.

    Raises:
        UserError: no such pair, or it cannot translate images of that size, or has no BatchNorm to leave out.
    """
    if config.name not in TRANSLATORS:
        raise unknown_name(f"network.name of {needed_by}", config.name, TRANSLATORS)
    return _as_configured(TRANSLATORS[config.name](config, image_size), config)


def _as_configured(pair: Pair, config: NetworkConfig) -> Pair:
    """The pair with what any of them may be built without; no pair needs to know."""
    if not config.batchnorm:
        leave_out_batchnorm(config.name, *pair)
    return pair


__all__ = ["NETWORKS", "TRANSLATORS", "build_networks", "build_translators"]
