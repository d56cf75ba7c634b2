"""Network pairs by name. A new pair is one file and one row here; tests/contracts runs on every row."""

from collections.abc import Callable

from torch import nn

from trainers.config import NetworkConfig
from trainers.errors import unknown_name
from trainers.networks import dcgan

Pair = tuple[nn.Module, nn.Module]


def _dcgan(config: NetworkConfig, image_size: int) -> Pair:
    width = config.base_width
    generator = dcgan.Generator(image_size=image_size, base_width=width, latent_dim=config.latent_dim)
    return generator, dcgan.Discriminator(image_size=image_size, base_width=width)


NETWORKS: dict[str, Callable[[NetworkConfig, int], Pair]] = {
    "dcgan": _dcgan,
}


def build_networks(config: NetworkConfig, image_size: int) -> Pair:
    """Generator ``[B, latent_dim] -> [B, 3, S, S]`` in [-1, 1] and discriminator ``[B, 3, S, S] -> [B, 1]`` logits.

    Raises:
        UserError: no such pair.
    """
    if config.name not in NETWORKS:
        raise unknown_name("network.name", config.name, NETWORKS)
    return NETWORKS[config.name](config, image_size)


__all__ = ["NETWORKS", "build_networks"]
